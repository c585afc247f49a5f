"""A ring keeps order over many turns, refuses when it is full, and keeps slots for what is urgent."""

import multiprocessing
from collections.abc import Iterator

import pytest

from trading.adapters.ring import CHUNK, OPERATORS, Receiver, Ring, Sender

SLOTS = 4 * CHUNK


@pytest.fixture
def ends() -> Iterator[tuple[Sender, Receiver]]:
    ring = Ring(multiprocessing.get_context("spawn"), SLOTS)
    yield ring.sender(), ring.receiver()
    ring.unlink()


def message(number: int) -> bytes:
    return number.to_bytes(8, "little") * 8


def test_messages_come_in_order_over_many_turns(ends: tuple[Sender, Receiver]) -> None:
    sender, receiver = ends
    for number in range(10 * SLOTS):
        assert sender.send(message(number))
        if number % 2:
            assert message(number - 1) == receiver.wait(1)
            assert message(number) == receiver.next()

    assert receiver.next() is None
    assert receiver.spin(10) is None


def test_a_full_ring_takes_what_is_urgent_and_loses_nothing(ends: tuple[Sender, Receiver]) -> None:
    sender, receiver = ends
    taken = 0
    while sender.send(message(taken)):
        taken += 1
    for kept, urgency in ((CHUNK - OPERATORS, {"urgent": True}), (OPERATORS, {"operator": True})):
        for _ in range(kept):
            assert sender.send(message(taken), **urgency)
            taken += 1
        assert not sender.send(message(taken), **urgency)

    assert SLOTS == taken
    assert [message(number) for number in range(taken)] == [receiver.next() for _ in range(taken)]
    # Room comes back by whole chunks; the first of them is for what is urgent again.
    assert sender.send(message(0))


def test_a_ring_has_a_power_of_two_slots() -> None:
    with pytest.raises(ValueError, match="1000"):
        Ring(multiprocessing.get_context("spawn"), 1000)
