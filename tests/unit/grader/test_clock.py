"""A check's time is the learner's alone."""

import threading

from grader.clock import MOST_STANDING_SECONDS, CheckClock


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
