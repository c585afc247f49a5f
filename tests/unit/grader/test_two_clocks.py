"""How the lab of the two clocks judges a count of digests: a clock that is slow on a busy machine does not stand."""

import importlib.util
from types import ModuleType

import pytest

from conductor.run_directory import CHECKOUT
from grader import measuring
from grader.errors import TooBusy

DAYS = 7.0


@pytest.fixture(scope="module")
def clocks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("clocks", CHECKOUT / "labs" / "two-clocks" / "checks" / "clocks.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def judged(clocks: ModuleType, count: int, slowdown: float, monkeypatch: pytest.MonkeyPatch) -> str:
    """The reason of a failure, or that it passed, or that nobody can tell."""
    monkeypatch.setattr(measuring, "slowdown", lambda: slowdown)
    try:
        finding = clocks._judged(0.0, (count, DAYS))
    except TooBusy:
        return "busy"
    return finding.reason or "passed"


@pytest.mark.parametrize(
    ("count", "quiet", "busy"),
    [
        (0, "too-few", "too-few"),
        (1, "too-few", "too-few"),
        (2, "too-few", "busy"),
        (3, "too-few", "busy"),
        (5, "passed", "passed"),
        (7, "passed", "passed"),
        (10, "too-many", "busy"),
        (14, "too-many", "too-many"),
    ],
)
def test_some_digests_in_too_long_a_time_are_no_verdict_on_a_busy_machine(
    clocks: ModuleType, monkeypatch: pytest.MonkeyPatch, count: int, quiet: str, busy: str
) -> None:
    assert (quiet, busy) == (
        judged(clocks, count, 1.0, monkeypatch),
        judged(clocks, count, 2 * measuring.SLOW, monkeypatch),
    )
