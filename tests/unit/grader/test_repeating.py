"""A table of gradings tells what was expected from what could not be told and from everything else."""

from typing import Any

from grader.proving import Proof
from grader.repeating import summed

EXPECTED = {"points": 5, "checks": {"fast": "passed", "sound": "failed: wrong"}}


def proof(points: int, **checks: str) -> Proof:
    got: dict[str, Any] = {"points": points, "checks": EXPECTED["checks"] | checks}  # type: ignore[operator]
    return Proof(lab="lab", answer="wrong", got=got, expected=EXPECTED, seconds=2.4, details=())


def test_an_error_is_neither_expected_nor_another_verdict() -> None:
    found = summed([proof(5), proof(5), proof(0, fast="error")])

    assert (2, 1, 0, "5", "2–2") == (found.as_expected, found.untold, found.otherwise, found.points, found.seconds)


def test_another_verdict_is_counted_and_its_points_are_shown() -> None:
    found = summed([proof(5), proof(0, fast="failed: slow"), proof(5, sound="failed: other")])

    assert (1, 0, 2, "0, 5") == (found.as_expected, found.untold, found.otherwise, found.points)
