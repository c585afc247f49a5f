"""The grader is graded: labs that use every check kind, and graders that are broken on purpose."""

from collections.abc import Callable
from typing import Any

import pytest

from grader import checks
from grader.adapters import confining
from grader.catalog import MODEL, Catalog, answers
from grader.domain.lab import Check
from grader.domain.verdict import Finding
from grader.proving import EMPTY, UNTOUCHED, Proof, prove
from grader.session import Session

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


def lenient(really: Callable[[Any, Session], Finding]) -> Callable[[Any, Session], Finding]:
    def run(parameters: Any, session: Session) -> Finding:
        return Finding(True, really(parameters, session).because)

    return run


def strict(really: Callable[[Any, Session], Finding]) -> Callable[[Any, Session], Finding]:
    def run(parameters: Any, session: Session) -> Finding:
        return Finding(False, really(parameters, session).because, "never")

    return run


@pytest.mark.parametrize(
    ("slug", "kind", "mutant", "answer"),
    [
        ("async-or-not", "classify", lenient, EMPTY),
        ("async-or-not", "classify", lenient, "all-async"),
        ("async-or-not", "classify", strict, MODEL),
        ("first-app", "call", lenient, "plain-factorial"),
        ("first-app", "call", strict, MODEL),
        ("first-app", "worker", lenient, "no-decorator"),
        ("canvas-workflow", "queue", lenient, EMPTY),
        ("canvas-workflow", "queue", strict, MODEL),
    ],
)
def test_a_broken_kind_is_noticed(
    monkeypatch: pytest.MonkeyPatch, slug: str, kind: str, mutant: Callable[..., Any], answer: str
) -> None:
    really = checks.run

    def broken(name: str) -> Callable[[Any, Session], Finding]:
        return mutant(really(name)) if name == kind else really(name)

    monkeypatch.setattr(checks, "run", broken)

    assert [(answer, False)] == [(proof.answer, proof.holds) for proof in proofs(slug, answer)]
