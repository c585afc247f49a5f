"""The development image's reloader, run as its containers run it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import wait_until

SERVICES = Path(__file__).resolve().parents[2] / "services"
RELOAD = SERVICES / "image" / "reload"
PROBE = SERVICES / "chassis" / "probe.py"
PROGRAM = """\
import pathlib, signal, sys, time
from word import WORD
def end(*_):
    pathlib.Path(sys.argv[1]).open("a").write("ended " + WORD + "\\n")
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).open("a").write("began " + WORD + "\\n")
while True:
    time.sleep(0.05)
"""


class Watched:
    """A program under the reloader, and what it wrote."""

    def __init__(self, folder: Path) -> None:
        source = folder / "app"
        (source / "program").mkdir(parents=True)
        (source / "program" / "__main__.py").write_text(PROGRAM)
        (source / "word.py").write_text("WORD = 'one'\n")
        self.code = folder / "code"
        self.told = folder / "told"
        environment = {
            **os.environ,
            "PYTHONPATH": f"{self.code}:{RELOAD}:{source}",
            "RELOAD_FROM": str(source),
            "RELOAD_INTO": str(self.code),
            "HEARTBEAT_FILE": str(folder / "heartbeat"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.heartbeat = folder / "heartbeat"
        self.process = subprocess.Popen([sys.executable, "-m", "program", str(self.told)], env=environment, cwd=source)

    def said(self) -> list[str]:
        return self.told.read_text().splitlines() if self.told.exists() else []


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    try:
        wait_until(lambda: made.said() == ["began one"], what="the program")
        yield made
    finally:
        made.process.send_signal(signal.SIGTERM)
        made.process.wait(20)


def test_a_change_starts_the_program_again_after_it_has_ended_in_order(watched: Watched) -> None:
    (watched.code / "word.py").write_text("WORD = 'two'\n")
    wait_until(lambda: len(watched.said()) == 3, what="the restart")

    assert ["began one", "ended one", "began two"] == watched.said()


def test_being_told_to_end_is_handed_on_with_the_programs_exit_code(watched: Watched) -> None:
    watched.process.send_signal(signal.SIGTERM)

    assert 7 == watched.process.wait(20)


def probed(watched: Watched, kind: str) -> int:
    line = [sys.executable, "-S", "-I", str(PROBE), kind, str(watched.heartbeat)]
    return subprocess.run(line, capture_output=True).returncode


def test_a_program_that_a_change_broke_is_started_again_by_the_next_change(watched: Watched) -> None:
    (watched.code / "word.py").write_text("WORD =\n")
    wait_until(lambda: len(watched.said()) == 2, what="the old program's end")
    (watched.code / "word.py").write_text("WORD = 'three'\n")
    wait_until(lambda: len(watched.said()) == 3, what="the restart")

    assert ["began one", "ended one", "began three"] == watched.said()


def test_a_pod_whose_program_is_being_started_again_is_alive_and_not_ready(watched: Watched) -> None:
    record = {"role": "worker", "state": "idle", "detail": "", "pid": 2**22 + 1, "deadline": None, "blocking": False}
    watched.heartbeat.write_text(json.dumps(record | {"ticked": 0.0, "since": 0.0, "stale_seconds": 30.0}))
    before = probed(watched, "live")
    (watched.code / "word.py").write_text("WORD =\n")
    wait_until(lambda: "restarting" in watched.heartbeat.read_text(), what="the hold")

    assert (1, 0, 1) == (before, probed(watched, "live"), probed(watched, "ready"))


def test_a_program_that_nothing_changed_ends_when_it_fails(tmp_path: Path) -> None:
    source, code = tmp_path / "app", tmp_path / "code"
    source.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(RELOAD), "RELOAD_FROM": str(source), "RELOAD_INTO": str(code)}
    line = [sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"]

    assert [143, 143] == [subprocess.run(line, env=environment, timeout=30).returncode for _ in range(2)]


def test_a_copy_that_broke_off_is_not_taken_for_the_code(tmp_path: Path) -> None:
    source, code = tmp_path / "app", tmp_path / "code"
    source.mkdir()
    (source / "word.py").write_text("WORD = 'one'\n")
    (source / "other.py").symlink_to(tmp_path / "nothing")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{code}:{RELOAD}",
        "RELOAD_FROM": str(source),
        "RELOAD_INTO": str(code),
    }
    line = [sys.executable, "-c", "import word, other; print(word.WORD, other.WORD)"]
    subprocess.run(line, env=environment, capture_output=True)
    (source / "other.py").unlink()
    (source / "other.py").write_text("WORD = 'two'\n")
    done = subprocess.run(line, env=environment, capture_output=True, text=True)

    assert "one two\n" == done.stdout


def test_a_process_that_nobody_watches_begins_as_ever() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RELOAD_FROM"} | {
        "PYTHONPATH": str(RELOAD)
    }
    done = subprocess.run(
        [sys.executable, "-c", "print(1)"], env=environment, capture_output=True, text=True, check=True
    )

    assert "1\n" == done.stdout
