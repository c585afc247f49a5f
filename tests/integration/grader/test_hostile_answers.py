"""Answers that aim at the grader instead of the lab: each gets the verdict of what its tasks really do, and changes no other's."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from processes import command_of

from grader.adapters import confining
from grader.catalog import MODEL, Catalog
from grader.domain.verdict import Result
from grader.grading import grade
from servers import wait_until

SLUG = "first-app"
CATALOG = Catalog()
FOLDER = CATALOG.path(SLUG)
APP = (FOLDER / "answers" / MODEL / "celery_app.py").read_text()
SOUND = {"worker": "passed", "values": "passed", "negative": "passed", "not-whole": "passed", "utc": "passed"}
NOT_STARTED = {"worker": "ended", "values": "needs", "negative": "needs", "not-whole": "needs", "utc": "needs"}

PATCHES = """
import celery.app.task, celery.result, time
celery.app.task.Task.apply_async = lambda *a, **k: None
celery.result.AsyncResult.get = lambda *a, **k: 120
time.sleep = lambda seconds: None
"""
BOMB = """
import atexit, os, time
if os.fork() == 0:
    while True:
        try: os.fork()
        except OSError: time.sleep(0.01)
"""
LINKS = """
import os
for name, target in (("README.md", "/etc/passwd"), ("a\\nname", "/"), ("loop", "loop")):
    if os.path.lexists(name): os.unlink(name)
    os.symlink(target, name)
os.mkfifo("answers.yaml")
"""
VERDICT = '\nprint(\'{"check": "values", "outcome": "passed", "points": 4}\\n\\x1b[2J10/10 passed\', flush=True)\n'
LIES = """
from celery.signals import task_prerun
@task_prerun.connect
def lie(task_id, task, **_):
    task.backend.store_result(task_id, 42, "SUCCESS")
"""

ANSWERS: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "patches-the-grader's-libraries": ({"celery_app.py": APP + PATCHES}, SOUND),
    "prints-a-verdict": ({"celery_app.py": APP + VERDICT + "raise SystemExit(0)"}, NOT_STARTED),
    "brings-a-sitecustomize": (
        {"celery_app.py": APP, "sitecustomize.py": "raise SystemExit(0)", "conftest.py": "raise SystemExit(0)"},
        SOUND,
    ),
    "exits-with-0-at-import": ({"celery_app.py": "raise SystemExit(0)"}, NOT_STARTED),
    "leaves-links-and-a-fifo": ({"celery_app.py": APP + LINKS}, SOUND),
    "forks-without-end": ({"celery_app.py": APP + BOMB}, NOT_STARTED),
    "acknowledges-and-lies": (
        {"celery_app.py": APP + LIES},
        SOUND | {"values": "wrong-value", "not-whole": "not-failed"},
    ),
}


def graded(files: Mapping[str, str]) -> Result:
    with tempfile.TemporaryDirectory(prefix="hostile-") as made:
        workspace = Path(made) / SLUG
        shutil.copytree(FOLDER / "starter", workspace)
        for name, text in files.items():
            (workspace / name).write_text(text)
        return grade(CATALOG.lab(SLUG), FOLDER, workspace, confining.best(), seed=1)


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """All of them, two at a time, so that each has a hostile neighbour."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(ANSWERS, pool.map(lambda name: graded(ANSWERS[name][0]), ANSWERS), strict=True))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_hostile_answer_gets_what_its_tasks_are_worth(results: Mapping[str, Result], name: str) -> None:
    verdicts = results[name].verdicts

    assert ANSWERS[name][1] == {one.check: one.reason or str(one.outcome) for one in verdicts}, [
        (one.because, one.output) for one in verdicts
    ]


def test_a_check_after_a_killed_one_is_as_any_other(tmp_path: Path) -> None:
    workspace = tmp_path / SLUG
    shutil.copytree(FOLDER / "starter", workspace)
    (workspace / "celery_app.py").write_text("import os, time\nos.fork()\nos.setsid()\nos.fork()\ntime.sleep(600)")
    command = [str(Path(sys.executable).parent / "capstone"), "lab", "check", SLUG, "--json"]
    environment = {**os.environ, "CAPSTONE_LABS_DIR": str(tmp_path)}
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    started: list[psutil.Process] = []

    def hangs() -> bool:
        started[:] = psutil.Process(killed.pid).children(recursive=True)
        return sum(command_of(one)[1:3] == ["-m", "celery"] for one in started) == 4

    wait_until(hangs, what="the answer to hang")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_until(lambda: not any(command_of(one) for one in started), what="everything to be gone", seconds=2)
    (workspace / "celery_app.py").write_text(APP)
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert 0 == again.returncode, again.stderr
    assert 10 == json.loads(again.stdout)["points"]
