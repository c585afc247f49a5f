"""The backlog is counted at most once a second, by one thread at a time."""

import contextlib
import threading

from orders.usecases.backlog import Backlog


class Counting:
    """Counts its calls; answers with the number of them."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, at_most: int) -> int:
        self.calls.append(at_most)
        return len(self.calls)


def test_the_backlog_is_counted_once_while_the_count_is_fresh() -> None:
    count, backlog = Counting(), Backlog(50, clock=lambda: 10.0)

    sizes = [backlog.size(count) for _ in range(3)]

    assert sizes == [1, 1, 1]


def test_the_backlog_is_counted_again_after_a_second() -> None:
    now = [10.0]
    count, backlog = Counting(), Backlog(50, clock=lambda: now[0])
    backlog.size(count)
    now[0] = 11.0

    assert backlog.size(count) == 2


def test_counting_stops_at_the_limit() -> None:
    count, backlog = Counting(), Backlog(50)
    backlog.size(count)

    assert count.calls == [50]


def test_a_second_thread_does_not_wait_for_the_count() -> None:
    begun, go = threading.Event(), threading.Event()
    backlog = Backlog(50)

    def slow(_: int) -> int:
        begun.set()
        go.wait(10)
        return 7

    counting = threading.Thread(target=backlog.size, args=(slow,))
    counting.start()
    begun.wait(10)
    meanwhile = backlog.size(Counting())
    go.set()
    counting.join()

    assert meanwhile == 0


def test_a_count_that_fails_is_tried_again() -> None:
    backlog = Backlog(50)

    def broken(_: int) -> int:
        raise OSError

    with contextlib.suppress(OSError):
        backlog.size(broken)

    assert backlog.size(Counting()) == 1
