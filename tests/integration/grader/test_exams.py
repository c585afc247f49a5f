"""`capstone quiz`, `exam` and `certificate` as a learner and an examiner type them."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from grader.adapters import confining
from grader.adapters.workspaces import overlay
from grader.catalog import LABS
from grader.domain.quiz import drawn
from grader.exams import papers
from grader.exams.commands import DESIGN
from grader.exams.sitting import Sitting
from grader.quizzes import bank

ROOT = Path(__file__).resolve().parents[3]
CAPSTONE = str(Path(sys.executable).parent / "capstone")


class Person:
    """Somebody at a terminal, with a folder of their own for workspaces."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def types(self, *arguments: str, lines: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CAPSTONE, *arguments],
            input="".join(f"{line}\n" for line in lines or []),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "CAPSTONE_LABS_DIR": str(self.work)},
        )


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "work")


def test_a_quiz_is_taken_at_a_terminal(person: Person) -> None:
    keys = [question.key for question in drawn(bank.quiz("module-01"), 4)]

    ended = person.types("quiz", "take", "module-01", "--seed", "4", lines=["?", *keys])

    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert f"{len(keys)}/{len(keys)} passed (practice: the seed was chosen)" in ended.stdout
    assert len(keys) == ended.stdout.count("✓ right")


def test_a_quiz_that_is_broken_off_is_told_and_not_counted(person: Person) -> None:
    ended = person.types("quiz", "take", "module-01", lines=[])

    assert (1, "") == (ended.returncode, ended.stderr)
    assert "Not answered to its end, and not counted." in ended.stdout
    assert "best" in person.types("quiz", "list", "--json").stdout
    assert all(one["best"] is None for one in json.loads(person.types("quiz", "list", "--json").stdout))


def test_a_quiz_whose_seed_nobody_chose_counts(person: Person) -> None:
    quiz = bank.quiz("module-01")
    person.types("quiz", "take", "module-01", lines=["zzz", "a", "true", "1"] * 4 * quiz.draw)

    [best] = [
        one["best"] for one in json.loads(person.types("quiz", "list", "--json").stdout) if one["slug"] == quiz.slug
    ]
    assert 0 <= best < 0.8


def test_a_sheet_is_graded_by_its_seed(person: Person, tmp_path: Path) -> None:
    sheet = json.loads(person.types("quiz", "sheet", "module-01", "--seed", "9", "--key", "--json").stdout)
    answers = {question["id"]: question["key"] for question in sheet["questions"]}
    path = tmp_path / "answers.yaml"

    path.write_text(yaml.safe_dump(answers))
    ended = person.types("quiz", "grade", "module-01", str(path), "--seed", "9")

    assert (0, len(answers)) == (ended.returncode, json.loads(ended.stdout)["points"])
    path.write_text(yaml.safe_dump(answers | {"other": "a"}))
    assert (
        "the sheet of seed 9 does not ask other"
        in person.types("quiz", "grade", "module-01", str(path), "--seed", "9").stderr
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("quiz", "take", "other"), 'error: there is no quiz "other": '),
        (("exam", "start", "other"), 'error: there is no exam "other": '),
        (("exam", "questions"), "error: no exam is being taken: "),
        (("exam", "check", "poison"), "error: no exam is being taken: "),
        (("exam", "status", "final"), "error: there is no attempt 1 at final: there were 0"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(person: Person, arguments: tuple[str, ...], said: str) -> None:
    ended = person.types(*arguments)

    assert (1, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith(said)
    assert 1 == ended.stderr.strip().count("\n") + 1


@pytest.mark.skipif(not confining.best().confined, reason="an exam needs learner code to be confined")
@pytest.mark.timeout(600)
def test_an_exam_is_passed_and_certified(person: Person, tmp_path: Path) -> None:
    started = person.types("exam", "start", "foundation")
    assert 0 == started.returncode, started.stderr
    assert "attempt 1 of 5" in started.stdout
    [attempt] = Sitting(person.work).attempts(papers.exam("foundation"))
    part = attempt.parts["knowledge"].part
    questions = papers.questions(attempt.exam, part, attempt.seed)

    # The first seven, of them two wrong; then the terminal is gone.
    wrong = {"one": "abcd", "several": "abcdef", "true-false": ("true", "false"), "blank": ("wrong",)}
    given = [next(one for one in wrong[question.kind] if one != question.key) for question in questions[:2]]
    broken_off = person.types("exam", "questions", lines=[*given, *(question.key for question in questions[2:7])])
    assert (1, True) == (broken_off.returncode, "What you answered is kept" in broken_off.stdout)
    assert "✓ right" not in broken_off.stdout
    rest = person.types("exam", "questions", lines=[question.key for question in questions[7:]])
    assert "Twenty questions: 13 of 20 to answer" in rest.stdout
    assert 0 == rest.returncode, rest.stderr
    assert '"Twenty questions" ended at' in person.types("exam", "questions", lines=["a"]).stderr

    assert "is not opened yet" in person.types("exam", "check", attempt.parts["practice"].drawn[0]).stderr
    assert [] == json.loads(person.types("exam", "status", "foundation", "--json").stdout)["parts"]["practice"]["drawn"]
    opened = person.types("exam", "labs")
    assert 0 == opened.returncode, opened.stderr
    for lab in attempt.parts["practice"].drawn:
        overlay(LABS / lab / "answers" / "model", person.work / "exam-foundation-1" / lab)
        checked = person.types("exam", "check", lab)
        assert 0 == checked.returncode, checked.stdout + checked.stderr
        assert "Grading 1 of 5" in checked.stdout
    person.types("lab", "solution", lab, "--yes")
    assert f"the solution of {lab} was shown" in person.types("exam", "check", lab).stderr
    assert 1 == person.types("exam", "labs").stdout.count("its solution was shown: it cannot be handed in")
    assert '"hoarder" is not asked' in person.types("exam", "check", "hoarder").stderr
    assert "attempt 1 at foundation has not ended" in person.types("exam", "start", "final").stderr
    assert 0 == person.types("exam", "close", "practice", "--yes").returncode
    status = json.loads(person.types("exam", "status", "foundation", "--json").stdout)
    assert ("passed", 96.0, 0.96) == (status["state"], status["points"], status["share"])

    assert 0 == person.types("certificate", "key", str(tmp_path / "key")).returncode
    issuing = ("certificate", "issue", "foundation", "--holder", "Jo Roe", "--issuer", "A school")
    issuing = (*issuing, "--key", str(tmp_path / "key"), "--to", str(tmp_path / "c.json"))
    issued = person.types(*issuing)
    assert 0 == issued.returncode, issued.stderr
    assert "is there already" in person.types(*issuing).stderr
    to_another = ["Al Doe" if one == "Jo Roe" else one for one in (*issuing[:-1], str(tmp_path / "d.json"))]
    assert "was certified to Jo Roe" in person.types(*to_another).stderr
    verified = Person(tmp_path / "elsewhere").types(
        "certificate", "verify", str(tmp_path / "c.json"), "--key", str(tmp_path / "key.public")
    )
    assert 0 == verified.returncode, verified.stderr
    assert "Celery Foundations: Jo Roe\nFoundations exam: 96 of 100 points" in verified.stdout
    (tmp_path / "c.json").write_text((tmp_path / "c.json").read_text().replace("Jo Roe", "Al Doe"))
    changed = person.types("certificate", "verify", str(tmp_path / "c.json"), "--key", str(tmp_path / "key.public"))
    assert (1, "") == (changed.returncode, changed.stdout)
    assert "changed after it was signed" in changed.stderr
    assert "foundation is passed" in person.types("exam", "start", "foundation").stderr


@pytest.mark.skipif(not confining.best().confined, reason="an exam needs learner code to be confined")
def test_a_design_is_reviewed_by_two_and_decided_by_an_examiner(person: Person, tmp_path: Path) -> None:
    person.types("exam", "start", "final")
    opened = person.types("exam", "design")
    assert 0 == opened.returncode, opened.stderr
    path = person.work / "exam-final-1" / DESIGN
    assert 'below "## Overview" are 0 words' in person.types("exam", "design", "--hand-in").stderr
    headings = [line for line in path.read_text().splitlines() if line.startswith("## ")]
    drawing = "```mermaid\nflowchart LR\n  api --> broker\n  broker --> worker\n```\n"
    path.write_text("\n\n".join(f"{one}\n\n{drawing if 'Diagram' in one else 'word ' * 50}" for one in headings))
    path.write_text(f"{path.read_text()}\x1b[2J\n")
    handed = person.types("exam", "design", "--hand-in")
    assert 0 == handed.returncode, handed.stderr
    scores = tmp_path / "scores.yaml"
    scores.write_text(yaml.safe_dump({"diagram": 4, "tasks": 5, "failures": 4, "scaling": 3, "monitoring": 2}))
    review = ("exam", "review", "final", str(scores), "--reviewer")
    assert '"A system to design" has not ended yet' in person.types(*review, "A. Roe").stderr
    for part in ("design", "knowledge", "practice"):
        assert 0 == person.types("exam", "close", part, "--yes").returncode

    shown = person.types("exam", "designs", "final").stdout
    assert "failures: 0  # of 5" in shown
    assert "\x1b" not in shown
    assert "## Diagram" in shown.splitlines()
    assert "reviews so far: 1, more are needed" in person.types(*review, "A. Roe").stdout
    assert "a. roe reviewed it already" in person.types(*review, " a.  roe ").stderr
    assert "'' names no reviewer" in person.types(*review, "").stderr
    assert "18 of 20 points" in person.types(*review, "B. Roe").stdout
    assert "needs no further review" in person.types(*review, "C. Roe").stderr
    scores.write_text(yaml.safe_dump({"diagram": 40}))
    assert "scores are needed for" in person.types(*review, "C. Roe").stderr
    decided = person.types(
        "exam",
        "decide",
        "final",
        "--part",
        "practice",
        "--points",
        "40",
        "--by",
        "C. Roe",
        "--reason",
        "the power failed",
    )
    assert "Three broken systems: 40 of 50 points, at least 60% are needed (decided by an examiner)" in decided.stdout
    assert "58 of 100 points, 58 %, 85% to pass" in decided.stdout
    # A failed attempt is followed by a pause.
    assert "the next attempt at final may begin at" in person.types("exam", "start", "final").stderr
    assert (
        "attempt 1 at final is failed, not passed"
        in person.types(
            "certificate",
            "issue",
            "final",
            "--holder",
            "x",
            "--issuer",
            "y",
            "--key",
            str(scores),
            "--to",
            str(tmp_path / "c"),
        ).stderr
    )


def test_an_exam_in_a_gradebook_that_was_changed_is_refused(person: Person) -> None:
    if not confining.best().confined:
        pytest.skip("an exam needs learner code to be confined")
    person.types("exam", "start", "final")
    with closing(sqlite3.connect(person.work / "gradebook.sqlite")) as book:
        book.executescript("DROP TRIGGER no_update; UPDATE events SET at = '2030-01-01T00:00:00.000+00:00';")

    ended = person.types("exam", "questions", lines=["a"])

    assert (1, "") == (ended.returncode, ended.stdout)
    assert "event 1 is not what was written" in ended.stderr
    shutil.rmtree(person.work)
