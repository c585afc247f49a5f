"""The grader is graded: labs that use every check kind, and graders that are broken on purpose."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from grader import checks
from grader.adapters import confining
from grader.catalog import MODEL, Catalog, answers
from grader.domain.lab import Check, Lab
from grader.domain.verdict import Finding
from grader.proving import EMPTY, UNTOUCHED, Proof, prove
from grader.session import Session, failed, passed

CATALOG = Catalog()
USES = [(slug, check.kind) for slug in CATALOG.slugs() for check in CATALOG.lab(slug).checks]


def proofs(slug: str, answer: str = "") -> list[Proof]:
    return list(prove(CATALOG, [slug], confining.best, parallel=2, only=answer))


@pytest.mark.parametrize("slug", ["async-or-not", "first-app"])
def test_every_answer_gets_what_is_expected(slug: str) -> None:
    graded = proofs(slug)

    assert {UNTOUCHED, EMPTY, *answers(CATALOG.path(slug))} == {proof.answer for proof in graded}
    assert [] == [proof for proof in graded if not proof.holds]


@pytest.mark.parametrize(
    ("slug", "answer"),
    [
        ("task-patterns", "no-backoff"),
        ("half-a-chord", "cancelled-only"),
    ],
)
def test_a_wrong_answer_is_noticed(slug: str, answer: str) -> None:
    assert [] == [proof for proof in proofs(slug, answer) if not proof.holds]


@pytest.mark.parametrize("kind", checks.kinds())
def test_every_kind_passes_a_model_answer_and_fails_a_wrong_one(kind: str) -> None:
    # The model answer passes every check, so that a kind which never passes is noticed wherever it is used. One that always passes is
    # noticed where a wrong answer has to fail at it.
    failing = {
        (slug, name)
        for slug in {slug for slug, used in USES if used == kind}
        for name in answers(CATALOG.path(slug))
        if name != MODEL and any(fails(slug, name, check) for check in CATALOG.lab(slug).checks if check.kind == kind)
    }

    assert failing


def fails(slug: str, answer: str, check: Check) -> bool:
    proof = (CATALOG.path(slug) / "answers" / f"{answer}.json").read_text()
    return f'"{check.id}": "failed' in proof


class Narrowed(Catalog):
    """The catalogue, with nothing of a lab but one check and those that it needs."""

    def __init__(self, check: str) -> None:
        super().__init__()
        self._check = check

    def lab(self, slug: str) -> Lab:
        whole = super().lab(slug)
        wanted = {self._check}
        for check in reversed(whole.checks):
            wanted |= set(check.needs) if check.id in wanted else set()
        kept = tuple(check for check in whole.checks if check.id in wanted)
        return dataclasses.replace(whole, checks=kept, points=sum(check.points for check in kept))


CHEAPEST = {
    "call": ("first-app", "negative", "plain-factorial"),
    "classify": ("async-or-not", "registration-email", EMPTY),
    "drill": ("nobody-sweeps", "lost", EMPTY),
    "flaky_server": ("task-patterns", "not-retried", UNTOUCHED),
    "function": ("task-patterns", "missing-file", UNTOUCHED),
    "log_lines": ("see-inside", "lines", "text-lines"),
    "queue": ("canvas-workflow", "fan-out", EMPTY),
    "tests_against_mutants": ("test-the-tests", "sound", EMPTY),
    "worker": ("first-app", "worker", "no-decorator"),
    "worker_setting": ("first-app", "utc", "plain-factorial"),
}
"""Kind -> a check of it that is soon done, and an answer that fails there."""


@pytest.mark.parametrize("kind", checks.kinds())
def test_a_kind_that_always_passes_is_noticed(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    slug, check, wrong = CHEAPEST[kind]
    really, truth = checks.run, []

    def broken(name: str) -> Callable[[Any, Session], Finding]:
        def run(parameters: Any, session: Session) -> Finding:
            found = really(name)(parameters, session)
            if name != kind:
                return found
            truth.append(found.passed)
            return passed(found.because)

        return run

    monkeypatch.setattr(checks, "run", broken)
    (proof,) = prove(Narrowed(check), [slug], confining.best, only=wrong)

    # It said the opposite of what it had found, and what is expected of the answer tells.
    assert [False] == truth[-1:]
    assert proof.expected is not None
    assert proof.expected["checks"][check] != proof.got["checks"][check]


@pytest.mark.parametrize("kind", ["", *checks.kinds()])
def test_a_kind_that_always_fails_is_noticed(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    # The model answer has to pass every check, so that nothing of it need be run to see that.
    def one_fails(name: str) -> Callable[[Any, Session], Finding]:
        return lambda parameters, session: failed("never", "") if name == kind else passed("")

    monkeypatch.setattr(checks, "run", one_fails)
    (proof,) = prove(CATALOG, [CHEAPEST[kind or "call"][0]], confining.best, only=MODEL)

    assert (kind == "") is proof.holds
