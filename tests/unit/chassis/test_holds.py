"""How long a queue is left alone that took nothing."""

import pytest

from chassis.holds import LONGEST_SECONDS, Holds

SLOWLY = 60.0


def waits(failures: int, took_seconds: float) -> float:
    holds, now = Holds(), 0.0
    for _ in range(failures):
        holds.refused("q", now, took_seconds=took_seconds)
    return next(seconds / 100 for seconds in range(100_000) if not holds.holds("q", now + seconds / 100))


def test_a_queue_waits_longer_with_every_failure_and_never_longer_than_the_longest() -> None:
    assert [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 20.0, 20.0] == [waits(failures, SLOWLY) for failures in range(1, 9)]
    assert waits(2000, SLOWLY) == LONGEST_SECONDS


@pytest.mark.parametrize(("took_seconds", "longest"), [(0.0, 1.5), (0.3, 1.5), (1.0, 4.0), (2.0, 8.0)])
def test_a_queue_waits_no_longer_than_some_times_what_a_try_took(took_seconds: float, longest: float) -> None:
    assert longest == waits(100, took_seconds)


def test_a_queue_that_took_a_message_begins_anew() -> None:
    holds = Holds()
    for _ in range(5):
        holds.refused("q", 0.0, took_seconds=SLOWLY)
    holds.taken("q")
    assert not holds.holds("q", 0.0)
    assert [] == holds.queues()
    holds.refused("q", 0.0, took_seconds=SLOWLY)

    assert not holds.holds("q", 0.0)
    assert ["q"] == holds.queues()


def test_the_others_are_not_held() -> None:
    holds = Holds()
    holds.refused("q", 0.0, took_seconds=SLOWLY)
    holds.refused("q", 0.0, took_seconds=SLOWLY)

    assert (True, False) == (holds.holds("q", 0.0), holds.holds("other", 0.0))
