"""The launcher: a process becomes exactly what its file says, under the same pid, and its start is recorded."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from conductor.laptop import orphans, programs
from conductor.laptop.programs import LAUNCHER, Program
from conductor.run_directory import RunDirectory

ODD = 'a "quoted" value; with %(percent)s and\nanother line'


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "run % ; directory")
    made.make()
    return made


def launched(run: RunDirectory, *argv: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    programs.write(Program("one", "pool", argv, environment or {}, directory=run.path), run)
    return subprocess.Popen([sys.executable, "-S", str(LAUNCHER), str(run.launches / "one.json")], stdout=-1)


def test_arguments_folder_and_environment_arrive_as_they_were_written(run: RunDirectory) -> None:
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), os.environ['ODD']]))"

    out, _ = launched(run, sys.executable, "-c", code, ODD, environment={"ODD": ODD}).communicate()

    assert json.loads(out) == [[ODD], str(run.path), ODD]


def test_nothing_of_the_callers_environment_is_inherited(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "amqp://elsewhere")

    out, _ = launched(run, sys.executable, "-c", "import os; print('BROKER_URL' in os.environ)").communicate()

    assert out == b"False\n"


def test_every_start_is_counted(run: RunDirectory) -> None:
    for _ in range(2):
        launched(run, "/bin/true").communicate()

    assert programs.starts("one", run) == 2


def test_a_start_forgets_the_sign_of_life_of_the_process_before(run: RunDirectory) -> None:
    (run.heartbeats / "one").write_text('{"pid": 1}')

    launched(run, "/bin/true").communicate()

    assert not (run.heartbeats / "one").exists()


def test_nothing_of_an_earlier_start_is_left(run: RunDirectory) -> None:
    for name in ("payments-g2-0", "api-g1-3"):
        programs.write(Program(name, "pool", ["/bin/true"], {}), run)
        (run.heartbeats / f"{name}.123").touch()
        (run.starts / name).touch()
    (run.programs / "saga-g1-0.conf.new").touch()

    programs.forget_all(run)

    assert [] == [path for path in run.path.rglob("*") if path.is_file()]


def test_a_recorded_process_survives_as_one_of_ours_and_is_ended(run: RunDirectory) -> None:
    process = launched(run, "/bin/sleep", "60")
    deadline = time.monotonic() + 10
    while not programs.starts("one", run) and time.monotonic() < deadline:
        os.sched_yield()

    assert [found.pid for found in orphans.find("no such run", run.starts)] == [process.pid]
    assert orphans.end("no such run", run.starts, grace_seconds=5) == [process.pid]
    process.communicate()


def test_a_pid_that_was_given_to_somebody_else_is_not_ours(run: RunDirectory) -> None:
    ours = psutil.Process()
    (run.starts / "one").write_text(f"{ours.create_time() - 60:.3f} {ours.pid}\n")

    assert orphans.find("no such run", run.starts) == []
