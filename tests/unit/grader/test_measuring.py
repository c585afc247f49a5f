"""A machine that is slow, or was so while something was timed, cannot tell."""

import threading
import time
from contextlib import nullcontext

import pytest

from grader import measuring
from grader.errors import Unable
from grader.measuring import HIDES, SLOW, slowdown


def test_a_program_takes_at_least_its_own_time() -> None:
    assert slowdown() >= 0.99


@pytest.mark.parametrize(("times", "told"), [(1.0, False), (1.9, False), (2.0, True), (12.0, True)])
def test_a_slow_machine_cannot_tell(monkeypatch: pytest.MonkeyPatch, times: float, told: bool) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: times)

    with pytest.raises(Unable, match=f"too busy to tell: a program takes {times:.0f}") if told else nullcontext():
        measuring.tell()


@pytest.mark.parametrize(("times", "told"), [(SLOW, False), (HIDES, True)])
def test_only_a_very_slow_machine_hides_a_fault(monkeypatch: pytest.MonkeyPatch, times: float, told: bool) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: times)

    with pytest.raises(Unable, match="too busy to tell") if told else nullcontext():
        measuring.tell(slow=HIDES)


@pytest.mark.parametrize(
    ("times", "than", "told"), [(1.9, 0.99, False), (2.0, 1.0, True), (5.9, 3.0, False), (6.0, 3.0, True)]
)
def test_a_machine_that_became_slower_cannot_tell(
    monkeypatch: pytest.MonkeyPatch, times: float, than: float, told: bool
) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: times)

    with pytest.raises(Unable, match=f"too busy to tell: a program takes {times:.0f}") if told else nullcontext():
        measuring.tell_slower(time.monotonic(), than)


def test_what_is_over_counts_since_it_was_timed_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(measuring, "slowdown", lambda: 1.0)
    monkeypatch.setattr(measuring, "_looked", [(now - 20, 9.0), (now - 10, 3.0)])

    assert [9.0, 3.0, 1.0, 1.0] == [measuring.slowest(since) for since in (now - 30, now - 15, now - 5, None)]


def test_a_grading_looks_again_and_again_and_then_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    monkeypatch.setattr(measuring, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(measuring, "slowdown", lambda: looks.append(1.0) or 7.0)  # type: ignore[func-returns-value]
    began = time.monotonic()

    with measuring.watched():
        while len(looks) < 3 and time.monotonic() < began + 10:
            pass
    seen = len(looks)
    monkeypatch.setattr(measuring, "slowdown", lambda: 1.0)

    assert seen >= 3
    assert 7.0 == measuring.slowest(began)
    assert 1.0 == measuring.slowest(time.monotonic())


def test_a_look_that_could_not_be_taken_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([OSError("no process left"), 3.0])
    looked = threading.Event()

    def look() -> float:
        seen = next(taken, 1.0)
        if isinstance(seen, OSError):
            raise seen
        looked.set()
        return seen

    monkeypatch.setattr(measuring, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(measuring, "slowdown", look)
    began = time.monotonic()

    with measuring.watched():
        assert looked.wait(10)

    assert 3.0 == measuring.slowest(began)
