"""A check's time is the learner's alone."""

import threading
import time
from collections.abc import Callable

import pytest

from grader import clock, measuring
from grader.adapters.observed import Log
from grader.clock import MOST_STANDING_SECONDS, CheckClock
from grader.errors import Unable


class Now:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_it_stands_still_in_a_block_and_goes_on_after_it() -> None:
    now = Now()
    clock = CheckClock(now)
    clock.begin(20)
    now.at += 5

    with clock.stopped():
        now.at += 40
        within = clock.left()
    now.at += 3

    assert (15, 12) == (within, clock.left())


def test_blocks_of_several_threads_count_once() -> None:
    now = Now()
    clock = CheckClock(now)
    clock.begin(20)
    held, done = threading.Event(), threading.Event()

    def other() -> None:
        with clock.stopped():
            held.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    with clock.stopped():
        thread.start()
        assert held.wait(10)
        now.at += 7
    now.at += 7
    still = clock.left()
    done.set()
    thread.join()
    now.at += 7

    assert (20, 13) == (still, clock.left())


def test_it_does_not_stand_still_for_ever() -> None:
    now = Now()
    clock = CheckClock(now)
    clock.begin(20)

    with clock.stopped():
        now.at += MOST_STANDING_SECONDS + 21
        assert -1 == clock.left()
    assert -1 == clock.left()


def test_a_block_of_an_earlier_check_does_not_reach_into_the_next() -> None:
    now = Now()
    clock = CheckClock(now)

    with clock.stopped():
        clock.begin(20)
        now.at += 5
    now.at += 5

    assert 10 == clock.left()


def after(seconds: float) -> Callable[[], bool]:
    """Something that holds after so many seconds."""
    at = time.monotonic() + seconds
    return lambda: time.monotonic() >= at


@pytest.mark.parametrize(
    ("slowdown", "holds_after", "says"),
    [
        (1.0, 0.0, True),
        (1.0, 0.3, False),
        (9.0, 0.0, True),
        (9.0, 5.0, False),
    ],
)
def test_a_promise_is_kept_or_broken(
    monkeypatch: pytest.MonkeyPatch, slowdown: float, holds_after: float, says: bool
) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: slowdown)
    monkeypatch.setattr(clock, "LEAST_SECONDS", 0.1)

    assert says is CheckClock().in_time(after(holds_after), 0.1, 0.01)


def test_a_promise_that_is_kept_late_on_a_slow_machine_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: 9.0)

    with pytest.raises(Unable, match=r"too busy to tell: .* 9 times"):
        CheckClock().in_time(after(0.3), 0.1, 0.01)


def test_what_a_log_waited_for_in_vain_is_judged_by_the_clock() -> None:
    log, asked = Log(), []
    log.later = lambda holds, seconds: bool(asked.append((holds(), seconds)))

    late = log.first("one", lambda what: what["status"] == "SUCCESS", 0.05)
    log.add("one", {"status": "SUCCESS"})
    there = log.first("one", lambda what: what["status"] == "SUCCESS", 0.05)
    peeked = log.first("two", lambda what: True, 0)

    assert (None, True, None) == (late, there is not None, peeked)
    assert [(False, 0.05)] == asked


def test_a_promise_is_not_judged_by_a_machine_that_was_slow_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: 1.0)
    monkeypatch.setattr(measuring, "_looked", [(time.monotonic() + 60, 9.0)])

    with pytest.raises(Unable, match=r"too busy to tell: .* 9 times"):
        CheckClock().in_time(after(0.3), 0.1, 0.01)
