"""A capstone that exists for tests is made of its own folders alone: no shared file names it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "tests" / "fixtures" / "tally"
NAMED = re.compile(r"""CAPSTONES=\W?tally|fixtures/tally|["'`/.]tally["'`/.]|\btally\.(?:app|add|counters)""")
"""The name as that of a capstone. A count may be called a tally."""

SHARED = [
    path
    for place in (".ci", "charts", "k8s", "loadtests", "observability", "scripts", "services")
    for path in (ROOT / place).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
]
SHARED += [path for path in ROOT.iterdir() if path.is_file()]
# Of the tests, what several folders use.
SHARED += [
    path for place in ("", "drills", "e2e", "mutants", "selection") for path in (ROOT / "tests" / place).iterdir()
]


def test_its_files_are_a_service_a_chart_and_a_plug_in() -> None:
    files = sorted(
        path.relative_to(FIXTURE).as_posix()
        for path in FIXTURE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "charts/celery-app" not in path.as_posix()
    )

    assert [
        "charts/tally/Chart.yaml",
        "charts/tally/templates/app.yaml",
        "charts/tally/values.yaml",
        "services/.dockerignore",
        "services/conductor/capstones/tally/__init__.py",
        "services/conductor/capstones/tally/capstone.py",
        "services/conductor/capstones/tally/workload.py",
        "services/tally/__init__.py",
        "services/tally/adapters/__init__.py",
        "services/tally/adapters/migrations/env.py",
        "services/tally/adapters/migrations/versions/0001_numbers.py",
        "services/tally/adding.py",
        "services/tally/api.py",
        "services/tally/app.py",
    ] == files


def test_no_shared_file_names_it() -> None:
    texts = {path: path.read_text(errors="replace") for path in SHARED if path.is_file()}

    assert [] == [str(path.relative_to(ROOT)) for path, text in texts.items() if NAMED.search(text)]


@pytest.mark.parametrize("text", ['"tally"', "tests/fixtures/tally", "tally.add", "make up CAPSTONES=tally"])
def test_its_name_is_recognised(text: str) -> None:
    assert NAMED.search(text)
