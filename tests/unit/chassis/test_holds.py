"""How long a queue is left alone that took nothing."""

from chassis.holds import LONGEST_SECONDS, Holds


def waits(failures: int) -> float:
    holds, now = Holds(), 0.0
    for _ in range(failures):
        holds.refused("q", now)
    return next(seconds / 100 for seconds in range(100_000) if not holds.holds("q", now + seconds / 100))


def test_a_queue_waits_longer_with_every_failure_and_never_longer_than_the_longest() -> None:
    assert [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 20.0, 20.0] == [waits(failures) for failures in range(1, 9)]
    assert waits(2000) == LONGEST_SECONDS


def test_a_queue_that_took_a_message_begins_anew() -> None:
    holds = Holds()
    for _ in range(5):
        holds.refused("q", 0.0)
    holds.taken("q")
    assert not holds.holds("q", 0.0)
    assert [] == holds.queues()
    holds.refused("q", 0.0)

    assert not holds.holds("q", 0.0)
    assert ["q"] == holds.queues()


def test_the_others_are_not_held() -> None:
    holds = Holds()
    holds.refused("q", 0.0)
    holds.refused("q", 0.0)

    assert (True, False) == (holds.holds("q", 0.0), holds.holds("other", 0.0))
