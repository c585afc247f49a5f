"""What the verdict of a drill on a learner's code says of one kind of fault."""

import pytest

from conductor.harness.runner import Played
from conductor.verdict import Finding, Verdict
from grader.checks.drill import judged


def played(*faults: str, failure: str | None = None) -> Played:
    findings = [Finding(fault, f"order-{number}", f"it was {fault}") for number, fault in enumerate(faults)]  # type: ignore[arg-type]
    return Played("worker-kill", "valkey", Verdict(40, 38, findings, kills=5), failure, 20.0)


def test_a_drill_without_such_a_fault_passes() -> None:
    finding = judged(played("lost"), "doubled")

    assert finding.passed
    assert "40 accepted, 38 completed, 5 kills, none doubled" == finding.because


def test_a_fault_fails_and_names_what_it_happened_to() -> None:
    finding = judged(played("doubled", "lost", "doubled"), "doubled")

    assert ("found", False, "2 doubled: it was doubled") == (finding.reason, finding.passed, finding.because)
    assert ["order-0: it was doubled", "order-2: it was doubled"] == finding.seen["faults"]


def test_a_fault_counts_more_than_that_the_drill_came_to_no_end() -> None:
    assert "found" == judged(played("lost", failure="nothing moves"), "lost").reason


@pytest.mark.parametrize(
    "found", [played(failure="nothing moves"), Played("worker-kill", "valkey", None, "no load", 3.0)]
)
def test_a_drill_that_came_to_no_end_shows_nothing(found: Played) -> None:
    finding = judged(found, "lost")

    assert ("not-ended", False) == (finding.reason, finding.passed)
    assert str(found.failure) in finding.because
