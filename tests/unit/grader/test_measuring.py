"""A ratio is told only where the baseline holds still."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest

from grader import measuring
from grader.errors import Unable
from grader.measuring import ratio, slowdown


def rounds(*seconds: float) -> Callable[[], float]:
    values: Iterator[float] = iter(seconds)
    return lambda: next(values)


def test_the_medians_decide() -> None:
    assert 0.5 == ratio(rounds(0.5, 9.0, 0.4), rounds(1.0, 1.3, 1.0))


def test_a_restless_baseline_is_the_graders_fault() -> None:
    with pytest.raises(Unable, match=r"too busy to tell: the same work took 1.00 s and 1.50 s"):
        ratio(rounds(0.5, 0.5, 0.5), rounds(1.0, 1.5, 1.0))


def test_a_program_takes_at_least_its_own_time() -> None:
    assert slowdown() >= 0.99


@pytest.mark.parametrize(("times", "told"), [(1.0, False), (1.9, False), (2.0, True), (12.0, True)])
def test_a_slow_machine_cannot_tell(monkeypatch: pytest.MonkeyPatch, times: float, told: bool) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: times)

    with pytest.raises(Unable, match=f"too busy to tell: a program takes {times:.0f}") if told else nullcontext():
        measuring.tell()
