"""A table of gradings tells what was expected from what could not be told and from everything else."""

import contextlib
import dataclasses
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import proving, repeating
from grader.adapters.box import Box, Unconfined
from grader.catalog import Catalog
from grader.domain.lab import Lab
from grader.errors import LabError
from grader.fingerprint import fingerprint
from grader.gradings import Repeated, remember, remembered, summed
from grader.proving import Proof
from grader.repeating import graded

EXPECTED = {"points": 5, "checks": {"fast": "passed", "sound": "failed: wrong"}}


def proof(points: int, **checks: str) -> Proof:
    got: dict[str, Any] = {"points": points, "checks": EXPECTED["checks"] | checks}  # type: ignore[operator]
    return Proof(lab="lab", answer="wrong", got=got, expected=EXPECTED, seconds=2.4, details=())


CATALOG = Catalog()
SLUG = "async-or-not"
VERSION = fingerprint(CATALOG, SLUG, "wrong")


def total(*proofs: Proof, version: str = VERSION) -> Repeated:
    (found,) = summed(CATALOG, [graded(dataclasses.replace(one, lab=SLUG), version, False) for one in proofs])
    return found


def test_an_error_is_neither_expected_nor_another_verdict() -> None:
    found = total(proof(5), proof(5), proof(0, fast="error"))

    assert (2, 1, 0, (5,)) == (found.as_expected, found.untold, found.otherwise, found.points)


def test_an_error_hides_no_other_verdict_beside_it() -> None:
    found = total(proof(0, fast="error", sound="failed: other"))

    assert (0, 0, 1) == (found.as_expected, found.untold, found.otherwise)


def test_another_verdict_is_counted_and_its_points_are_shown() -> None:
    found = total(proof(5), proof(0, fast="failed: slow"), proof(5, sound="failed: other"))

    assert (1, 0, 2, (0, 5)) == (found.as_expected, found.untold, found.otherwise, found.points)
    assert f"| {SLUG} | wrong | 0, 5 | 1 | 0 | 2 | 0 | 2–2 |" == found.row()


def test_gradings_add_up_over_commands_and_not_over_versions_of_a_lab(tmp_path: Path) -> None:
    file = tmp_path / "gradings.jsonl"
    for version in (VERSION, "older", VERSION):
        remember(file, graded(dataclasses.replace(proof(5), lab=SLUG), version, False))

    (found,) = summed(CATALOG, remembered(file))

    assert 2 == found.times


def test_a_line_that_is_no_grading_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gradings.jsonl"
    file.write_text('{"lab": "first-app"}\n')

    with pytest.raises(LabError, match=r"gradings\.jsonl:1: "):
        remembered(file)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The answers that are graded, and whether beside busy cores."""
    busy: list[str] = []
    found: list[tuple[str, bool]] = []

    @contextlib.contextmanager
    def kept_busy() -> Iterator[None]:
        busy.append("yes")
        yield
        busy.clear()

    def proved(catalog: Catalog, lab: Lab, answer: str, box: Box, stop: threading.Event) -> Proof:
        found.append((answer, bool(busy)))
        return dataclasses.replace(proof(5), lab=lab.slug, answer=answer)

    monkeypatch.setattr(repeating, "busy", kept_busy)
    monkeypatch.setattr(proving, "proved", proved)
    return found


def test_each_answer_is_graded_so_often_and_the_last_times_beside_busy_cores(seen: list[tuple[str, bool]]) -> None:
    asked = {"times": 3, "busy_times": 1, "only": "all-async"}
    found = list(repeating.repeated(CATALOG, [SLUG], Unconfined, **asked))  # type: ignore[arg-type]

    assert [("all-async", 3, 1)] == [(one.answer, one.as_expected, one.busy) for one in summed(CATALOG, found)]
    assert [("all-async", False), ("all-async", False), ("all-async", True)] == seen

    # What is remembered is not graded again.
    seen.clear()
    list(repeating.repeated(CATALOG, [SLUG], Unconfined, **asked, before=found[:1]))  # type: ignore[arg-type]
    list(repeating.repeated(CATALOG, [SLUG], Unconfined, **asked, before=found))  # type: ignore[arg-type]

    assert [("all-async", False), ("all-async", True)] == seen


def test_cores_that_others_keep_busy_are_not_kept_busy_once_more(
    seen: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = iter([0.5, 0.02, 0.3])
    proved = proving.proved
    monkeypatch.setattr(proving, "proved", lambda *given: dataclasses.replace(proved(*given), idle=next(idle)))

    found = list(repeating.repeated(CATALOG, [SLUG], Unconfined, times=3, busy_times=1, only="all-async"))

    assert [0, 1, 0] == [one.busy for one in found]
    assert [False, False, False] == [spinning for _, spinning in seen]


def test_the_share_of_time_that_nobody_used_is_told() -> None:
    Times = namedtuple("Times", ["user", "system", "idle", "iowait", "guest"])
    before, after = Times(10, 5, 100, 1, 4), Times(15, 6, 102, 3, 8)

    assert 0.4 == proving.idle_share(before, after)


def test_whichever_answer_was_graded_least_comes_first(seen: list[tuple[str, bool]]) -> None:
    first, second, third = (answer for _, answer in proving.wanted(CATALOG, [SLUG])[:3])
    before = [
        graded(dataclasses.replace(proof(5), lab=SLUG, answer=answer), fingerprint(CATALOG, SLUG, answer), False)
        for answer in (first, first, second)
    ]

    list(repeating.repeated(CATALOG, [SLUG], Unconfined, times=3, before=before))

    order = [answer for answer, _ in seen]
    assert third == order[0]
    assert [second, first] == [one for one in order if one in (first, second)][:2]
    assert {answer: 3 for _, answer in proving.wanted(CATALOG, [SLUG])} == {
        answer: order.count(answer) + {first: 2, second: 1}.get(answer, 0) for answer in order
    }


def test_an_answer_that_the_grader_could_not_judge_is_proved_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter([proof(0, fast="error"), proof(5)])
    monkeypatch.setattr(proving, "proved", lambda *given: dataclasses.replace(next(said), lab=SLUG))

    (found,) = proving.prove(CATALOG, [SLUG], Unconfined, only="all-async")

    assert found.holds


@pytest.mark.parametrize(
    ("checks", "too_busy"),
    [
        ({"fast": "error: busy"}, True),
        ({"fast": "error: busy", "sound": "skipped"}, True),
        ({"fast": "error: busy", "sound": "passed"}, False),
        ({"fast": "error: grader"}, False),
        ({"fast": "error: busy", "sound": "error: grader"}, False),
        ({"fast": "failed: slow"}, False),
        ({}, False),
    ],
)
def test_a_machine_that_is_too_busy_is_no_fault_of_a_check(checks: dict[str, str], too_busy: bool) -> None:
    assert too_busy is proof(0, **checks).too_busy


def test_the_longest_answer_is_proved_first(seen: list[tuple[str, bool]]) -> None:
    names = [answer for _, answer in proving.wanted(CATALOG, [SLUG])]
    takes = {(SLUG, names[2]): 3.0, (SLUG, names[1]): 2.0, ("first-app", names[0]): 9.0}

    list(proving.prove(CATALOG, [SLUG], Unconfined, takes=takes))

    assert [names[2], names[1], names[0], *names[3:]] == [answer for answer, _ in seen]


def test_another_verdict_is_proved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter([proof(0, fast="failed: slow"), proof(5)])
    monkeypatch.setattr(proving, "proved", lambda *given: dataclasses.replace(next(said), lab=SLUG))

    (found,) = proving.prove(CATALOG, [SLUG], Unconfined, only="all-async")

    assert not found.holds
