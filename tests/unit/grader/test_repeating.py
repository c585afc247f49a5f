"""A table of gradings tells what was expected from what could not be told and from everything else."""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from grader import proving, repeating
from grader.adapters.box import Box, Unconfined
from grader.catalog import Catalog
from grader.domain.lab import Lab
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


def test_each_answer_is_graded_so_often_and_the_last_times_beside_busy_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    busy: list[str] = []
    seen: list[tuple[str, bool]] = []

    @contextlib.contextmanager
    def kept_busy() -> Iterator[None]:
        busy.append("yes")
        yield
        busy.clear()

    def proved(catalog: Catalog, lab: Lab, answer: str, box: Box, stop: threading.Event) -> Proof:
        seen.append((answer, bool(busy)))
        return dataclasses.replace(proof(5), lab=lab.slug, answer=answer)

    monkeypatch.setattr(repeating, "busy", kept_busy)
    monkeypatch.setattr(proving, "proved", proved)
    rows = list(repeating.repeated(Catalog(), ["async-or-not"], Unconfined, times=3, busy_times=1, only="all-async"))

    assert [("all-async", 3)] == [(one.answer, one.as_expected) for one in rows]
    assert [("all-async", False), ("all-async", False), ("all-async", True)] == seen
