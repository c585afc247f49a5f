"""What a batch consumer holds, and which frames acknowledge it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chassis.batch_window import Held, Window, acknowledge


class Message:
    """As much of a kombu message as the window uses; `channel` collects the tags that the broker counts as acknowledged."""

    def __init__(self, tag: Any, unacknowledged: set[Any], redelivered: bool = False) -> None:
        self.delivery_tag = tag
        self.delivery_info = {"redelivered": redelivered}
        self.headers: dict[str, Any] = {}
        self.acknowledged = False
        self.frames = 0
        self._unacknowledged = unacknowledged
        unacknowledged.add(tag)

    def ack(self, multiple: bool = False) -> None:
        self.acknowledged = True
        self.frames = 1
        gone = {tag for tag in self._unacknowledged if tag <= self.delivery_tag} if multiple else {self.delivery_tag}
        self._unacknowledged -= gone


@given(st.sets(st.integers(1, 30), min_size=1), st.sets(st.integers(1, 30)))
def test_exactly_what_was_flushed_is_acknowledged(flushed: set[int], left: set[int]) -> None:
    at_the_broker: set[int] = set()
    left -= flushed
    done = [Held(Message(tag, at_the_broker)) for tag in sorted(flushed)]
    for tag in left:
        Message(tag, at_the_broker)

    acknowledge(done, min(left, default=None))

    assert left == at_the_broker


def test_one_frame_acknowledges_a_window() -> None:
    at_the_broker: set[int] = set()
    done = [Held(Message(tag, at_the_broker)) for tag in range(1, 31)]

    acknowledge(done, None)

    assert 1 == sum(held.message.frames for held in done)
    assert set() == at_the_broker


def test_tags_that_are_text_are_acknowledged_one_by_one() -> None:
    at_the_broker: set[Any] = set()
    done = [Held(Message(tag, at_the_broker)) for tag in ("b", "a")]

    acknowledge(done, None)

    assert set() == at_the_broker


def test_a_message_that_was_delivered_before_is_set_apart() -> None:
    window, at_the_broker = Window(), set[int]()

    window.add(Message(1, at_the_broker))
    window.add(Message(2, at_the_broker, redelivered=True))
    window.add(Message(3, at_the_broker))

    assert [1, 3] == [held.message.delivery_tag for held in window.fresh]
    assert [2] == [held.message.delivery_tag for held in window.alone]


def test_a_header_says_on_redis_that_a_message_was_delivered_before() -> None:
    window, message = Window(), Message("tag", set())
    message.headers, message.delivery_info = {"redelivered": True}, {}

    window.add(message)

    assert 1 == len(window.alone)


def test_what_is_being_parked_is_held_until_it_is_acknowledged() -> None:
    window, message = Window(), Message(7, set())
    window.add(message)

    window.park(window.fresh[0])
    before = (len(window), window.oldest_tag())
    message.ack()

    assert (1, 7) == before
    assert (0, None) == (len(window), window.oldest_tag())


def test_a_lost_connection_leaves_nothing_held() -> None:
    window = Window()
    for tag in range(3):
        window.add(Message(tag, set(), redelivered=tag == 1))

    window.clear()

    assert 0 == len(window)
