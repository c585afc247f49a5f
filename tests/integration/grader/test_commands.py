"""`capstone lab` as a newcomer types it: the commands of README.md, and what they say."""

import contextlib
import json
import logging
import os
import re
import resource
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import command_of

from grader.adapters import confining
from grader.adapters.workspaces import overlay
from grader.catalog import LABS
from grader.proving import idle_share
from servers import wait_until

ROOT = Path(__file__).resolve().parents[3]
CAPSTONE = str(Path(sys.executable).parent / "capstone")
README = ROOT / "README.md"


class Learner:
    """Somebody at a terminal, with a folder of their own for workspaces."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def types(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CAPSTONE_LABS_DIR": str(self.work)}
        return subprocess.run(
            [CAPSTONE, "lab", *arguments], capture_output=True, text=True, check=False, cwd=ROOT, env=environment
        )

    def gets(self, *arguments: str) -> Any:
        ended = self.types(*arguments, "--json")
        assert ended.stdout, ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    return Learner(tmp_path / "work")


@pytest.mark.parametrize(
    ("slug", "runtime", "said"),
    [
        ("first-app", "kubernetes", 'error: --runtime "kubernetes": first-app can be graded with local'),
        ("two-clocks", "moon", 'error: --runtime "moon": two-clocks can be graded with local or kubernetes'),
        ("two-clocks", "kubernetes", "error: kubectl points to no cluster that answers"),
    ],
)
def test_a_cluster_is_refused_before_anything_starts(learner: Learner, slug: str, runtime: str, said: str) -> None:
    learner.types("start", slug)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", "/dev/null")
        ended = learner.types("check", slug, "--runtime", runtime)

    assert (1, "", said) == (ended.returncode, ended.stdout, ended.stderr.strip())


def test_the_commands_of_the_readme_lead_to_ten_of_ten(learner: Learner) -> None:
    section = README.read_text().partition("## A first lab")[2].partition("\n## ")[0]
    blocks = [block.strip().splitlines() for block in re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)]
    typed = [[shlex.split(line, comments=True) for line in block if not line.startswith("make ")] for block in blocks]
    assert [5, 1] == [len(block) for block in blocks]

    said = [learner.types(*words[2:]).stdout for words in typed[0]]
    overlay(LABS / "first-app" / "answers" / "model", learner.work / "first-app")
    at_last = learner.types(*typed[1][0][2:])

    assert "first-app" in said[0]
    assert "5 checks, 1 of them hidden" in said[1]
    assert "0/10 not passed" in said[2]
    assert "looks for its broker" in said[3]
    assert "10/10 passed" in at_last.stdout
    assert 0 == at_last.returncode


def test_the_commands_of_the_readme_lead_through_a_quiz(tmp_path: Path) -> None:
    section = README.read_text().partition("## A quiz, and an exam")[2].partition("\n## ")[0]
    [block] = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "CAPSTONE_LABS_DIR": str(tmp_path)}

    said = [
        subprocess.run(
            [CAPSTONE, *shlex.split(line, comments=True)[1:]],
            input="zz\na\ntrue\n1\n" * 40,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment,
        ).stdout
        for line in block.strip().splitlines()
    ]

    assert "module-04" in said[0]
    assert "10 of 10 ·" in said[1]
    assert "/10" in said[1]
    assert "foundation" in said[2]


def test_a_lab_goes_its_way_from_start_to_practice(learner: Learner) -> None:
    started = learner.gets("start", "async-or-not")
    first = learner.types("check", "async-or-not")
    hints = [learner.gets("hint", "async-or-not")["check"] for _ in range(2)]
    shutil.copy(LABS / "async-or-not" / "answers" / "model" / "answers.yaml", started["workspace"])
    second = learner.gets("check", "async-or-not", "--seed", "7")
    best = {lab["slug"]: lab["best"] for lab in learner.gets("list")}
    solution = learner.gets("solution", "async-or-not", "--yes")
    third = learner.gets("check", "async-or-not")
    reset = learner.gets("reset", "async-or-not", "--yes")

    assert 1 == first.returncode
    assert ["registration-email", "profile-query"] == hints
    assert (8, True, False, 7, confining.best().confined) == tuple(
        second[key] for key in ("points", "passed", "practice", "seed", "confined")
    )
    assert 8 == best["async-or-not"]
    assert ["answers.yaml"] == list(solution)
    assert third["practice"]
    assert (Path(reset["kept"]) / "answers.yaml").read_text() == solution["answers.yaml"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "../first-app"), 'there is no lab "../first-app"'),
        (("check", "first-app"), "first-app is not there: "),
        (("start", "nothing"), 'there is no lab "nothing"'),
    ],
)
def test_bad_input_is_one_line(learner: Learner, arguments: tuple[str, ...], said: str) -> None:
    ended = learner.types(*arguments)

    assert (1, 1) == (ended.returncode, len(ended.stderr.splitlines()))
    assert said in ended.stderr


def test_a_learner_does_not_wait_for_a_start_a_hint_or_a_reset(learner: Learner) -> None:
    def took(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert 0 == learner.types(*arguments).returncode
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Of the processor: the clock also counts what else the machine does.
    seconds = {words: took(*words.split()) for words in ("start first-app", "hint first-app", "reset first-app --yes")}

    assert [] == [words for words, used in seconds.items() if used >= 1], seconds


def test_a_first_grading_is_done_within_fifteen_seconds(
    learner: Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner.types("start", "first-app")
    overlay(LABS / "first-app" / "answers" / "model", learner.work / "first-app")
    # As on a fresh checkout, where nothing that the grader imports has been compiled.
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "compiled"))
    others = set(psutil.Process().children(recursive=True))  # servers of other tests
    used: dict[psutil.Process, float] = {}
    before, began = psutil.cpu_times(), time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(learner.types, "check", "first-app")

        def over() -> bool:
            note_processor_seconds(used, others)
            return ended.done()

        wait_until(over, what="the end of the grading", seconds=300)
    took, idle = time.monotonic() - began, idle_share(before, psutil.cpu_times())

    said = f"{sum(used.values()):.1f} s of a processor, {took:.1f} s on the clock, {idle:.0%} of the machine was idle"
    logging.getLogger(__name__).info(said)
    assert "10/10 passed" in ended.result().stdout
    assert 2 < sum(used.values()) < 15, said
    # The clock also counts what else the machine does: it tells only where there was a core to spare.
    assert took < 15 or idle < 0.5, said


def note_processor_seconds(used: dict[psutil.Process, float], others: set[psutil.Process]) -> None:
    """What each process below this one, but for these, has used so far. Of what ends in a box the kernel tells nobody how much it was."""
    for process in set(psutil.Process().children(recursive=True)) - others:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            used[process] = times.user + times.system


def test_an_author_is_told_what_a_check_may_be_told(learner: Learner) -> None:
    said, schemas = learner.types("kinds").stdout, learner.gets("kinds")

    assert "  task (needed): " in said
    assert ["kinds", "lab.yaml"] == sorted(schemas)
    assert {"checks", "title"} <= set(schemas["lab.yaml"]["required"])
    assert all(
        f"\n{kind}: " in f"\n{said}" and not schema["additionalProperties"] for kind, schema in schemas["kinds"].items()
    )


def test_a_second_start_leaves_the_work_alone(learner: Learner) -> None:
    workspace = Path(learner.gets("start", "async-or-not")["workspace"])
    (workspace / "answers.yaml").write_text("mine")

    again = learner.types("start", "async-or-not")

    assert "is there already" in again.stderr
    assert "mine" == (workspace / "answers.yaml").read_text()


def test_an_edited_gradebook_is_noticed(learner: Learner) -> None:
    learner.gets("start", "async-or-not")
    with sqlite3.connect(learner.work / "gradebook.sqlite") as database:
        database.executescript("DROP TRIGGER no_update; UPDATE events SET kind = 'graded';")

    asked = learner.types("doctor", "--json")

    assert 1 == asked.returncode
    assert ["gradebook"] == [one["what"] for one in json.loads(asked.stdout) if one["needed"] and not one["fine"]]


def test_a_proof_that_is_told_to_end_does_so_with_all_that_it_started(tmp_path: Path) -> None:
    command = [CAPSTONE, "lab", "prove", "stop-a-hung-task", "--parallel", "2"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    below: list[psutil.Process] = []

    def works() -> bool:
        below[:] = psutil.Process(running.pid).children(recursive=True)
        return any("worker" in command_of(one) for one in below)

    wait_until(works, what="a worker of a grading")
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=10)

    assert (130, b"interrupted") == (running.returncode, said.splitlines()[-1])
    assert [] == [command_of(one) for one in below if command_of(one)]
    assert [] == [path.name for path in tmp_path.iterdir() if path.name.startswith("capstone-")]
