"""Gradings add up while nothing that decides a verdict changes, and only then."""

import shutil
from pathlib import Path

import pytest

from grader import checks, fingerprint
from grader.authoring import new
from grader.catalog import Catalog

OWN = '''\
"""What the lab alone checks."""

from grader.checks import log_lines
from grader.session import Session


def enough(session: Session) -> int:
    """How much is enough."""
    return 5  # seconds
'''


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One lab, and a copy of the grader's kinds."""
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "catalog.yaml").write_text("labs:\n  - { slug: older, level: foundations, points: 5 }\n")
    new("fine", "foundations", tmp_path / "labs")
    (tmp_path / "labs" / "fine" / "checks").mkdir(exist_ok=True)
    (tmp_path / "labs" / "fine" / "checks" / "own.py").write_text(OWN)
    kinds = tmp_path / "kinds"
    shutil.copytree(Path(checks.__file__).parent, kinds, ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(fingerprint, "KINDS", kinds)
    return tmp_path / "labs"


def differs(labs: Path, file: str, old: str, new_text: str) -> bool:
    """Whether another text in a file makes gradings of a wrong answer count no more."""
    before = fingerprint.fingerprint(Catalog(labs), "fine", "no-result")
    path = labs / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new_text, 1))
    return before != fingerprint.fingerprint(Catalog(labs), "fine", "no-result")


@pytest.mark.parametrize(
    ("file", "old", "new_text"),
    [
        ("fine/checks/own.py", "return 5", "return 6"),
        ("fine/lab.yaml", "seconds: 45", "seconds: 46"),
        ("fine/lab.yaml", "value: 42", "value: 43"),
        ("fine/lab.yaml", "needs: [worker]", "needs: []"),
        ("fine/starter/tasks.py", "Celery(", "Celery(broker=None, main="),
        ("fine/answers/no-result/tasks.py", "app = ", "other = "),
        ("fine/answers/no-result.json", '"points": ', '"points": 1'),
        ("../kinds/call.py", "def run(", "LIMIT = 3\n\n\ndef run("),
        ("../kinds/log_lines.py", "def run(", "LIMIT = 3\n\n\ndef run("),
    ],
)
def test_what_decides_a_verdict_makes_earlier_gradings_count_no_more(
    labs: Path, file: str, old: str, new_text: str
) -> None:
    golden = labs / "fine" / "answers" / "no-result.json"
    golden.write_text('{"points": 2, "checks": {}}')

    assert differs(labs, file, old, new_text)


@pytest.mark.parametrize(
    ("file", "old", "new_text"),
    [
        ("fine/checks/own.py", "  # seconds", ""),
        ("fine/checks/own.py", "How much is enough.", "What it takes."),
        ("fine/lab.yaml", "title: Fine", "title: Very fine"),
        ("fine/lab.yaml", "minutes: 30", "minutes: 40"),
        ("fine/lab.yaml", "otherwise: Another value", "otherwise: The worker does not start"),
        ("fine/hints.md", "A question", "Two questions"),
        ("fine/answers/model/tasks.py", "app = ", "other = "),
        ("../kinds/call.py", "def run(", "# What is called.\ndef run("),
        ("../kinds/queue.py", "def run(", "LIMIT = 3\n\n\ndef run("),
    ],
)
def test_words_and_what_other_answers_and_labs_use_let_them_count(
    labs: Path, file: str, old: str, new_text: str
) -> None:
    assert not differs(labs, file, old, new_text)
