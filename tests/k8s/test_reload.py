"""The development image's reloader, run as its containers run it: a program, and an API that is asked without a pause."""

import contextlib
import os
import py_compile
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.servers import free_port, wait_until

from chassis import probe

SERVICES = Path(__file__).resolve().parents[2] / "services"
RELOAD = SERVICES / "image" / "reload"
PROGRAM = """\
import json, os, pathlib, signal, sys, time
def told(what):
    with pathlib.Path(os.environ["TOLD"]).open("a") as file:
        file.write(what + " " + WORD + "\\n")
def end(*_):
    told("ended")
    sys.exit(7)
from word import WORD
signal.signal(signal.SIGTERM, end)
beat = {"role": "worker", "state": "idle", "detail": "", "pid": os.getpid(), "deadline": None, "blocking": False}
beat |= {"ticked": time.monotonic(), "since": 0.0, "stale_seconds": 30.0}
pathlib.Path(os.environ["HEARTBEAT_FILE"]).write_text(json.dumps(beat))
told("began")
while True:
    time.sleep(0.05)
"""
API = """\
import json, os, pathlib
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from chassis.settings import ServiceSettings
from word import WORD
SETTINGS = ServiceSettings
def make_api():
    return Starlette(routes=[Route("/word", lambda _: PlainTextResponse(WORD))])
"""


class Watched:
    """A program under the reloader, and what it wrote."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.source = folder / "app"
        self.code = folder / "code"
        self.told = folder / "told"
        self.log = folder / "log"
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{self.code}:{RELOAD}:{self.source}:{SERVICES}",
            "RELOAD_FROM": str(self.source),
            "RELOAD_INTO": str(self.code),
            "HEARTBEAT_FILE": str(folder / "heartbeat"),
            "TOLD": str(self.told),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments], env=self.environment, cwd=self.source, stderr=log
            )

    def word(self, text: str) -> None:
        (self.code / "word.py").write_text(text)

    def said(self) -> list[str]:
        return self.told.read_text().splitlines() if self.told.exists() else []

    def await_said(self, *lines: str) -> None:
        wait_until(lambda: self.said() == list(lines), what=f"{lines}, has {self.said()}: {self.log.read_text()}")

    def await_log(self, text: str) -> None:
        wait_until(lambda: text in self.log.read_text(), what=f"{text!r} in the log")


def written(folder: Path, name: str, text: str) -> None:
    """The program that the image holds, in two files."""
    (folder / "app").mkdir()
    (folder / "app" / f"{name}.py").write_text(text)
    (folder / "app" / "word.py").write_text("WORD = 'one'\n")


@contextlib.contextmanager
def ended(watched: Watched) -> Iterator[Watched]:
    try:
        yield watched
    finally:
        watched.process.send_signal(signal.SIGTERM)
        watched.process.wait(20)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    written(tmp_path, "program", PROGRAM)
    with ended(Watched(tmp_path, "program", METRICS_PORT=str(free_port()))) as made:
        made.await_said("began one")
        yield made


def asked(url: str) -> tuple[int, str]:
    """Status and body of an answer; 0 when there was none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, repr(error)


def test_a_change_starts_the_program_again_once_after_it_has_ended_in_order(watched: Watched) -> None:
    watched.word("WORD = 'two'\n")
    (watched.code / "other.py").write_text("")
    watched.await_said("began one", "ended one", "began two")
    watched.word("WORD = 'three'\n")

    watched.await_said("began one", "ended one", "began two", "ended two", "began three")


def test_a_file_that_is_written_with_what_it_holds_starts_nothing(watched: Watched) -> None:
    watched.word("WORD = 'one'\n")
    os.utime(watched.code / "program.py", (1, 1))
    watched.word("WORD =\n")
    watched.await_log("word.py:1: invalid syntax: the program goes on")
    watched.word("WORD = 'one'\n")
    watched.await_log("the code is again what runs: nothing is started")

    assert ["began one"] == watched.said()


def test_code_that_cannot_be_compiled_ends_nothing_and_the_next_change_mends_it(watched: Watched) -> None:
    watched.word("WORD =\n")
    watched.await_log("word.py:1: invalid syntax: the program goes on")
    assert ["began one"] == watched.said()
    watched.word("WORD = 'three'\n")

    watched.await_said("began one", "ended one", "began three")


def probes(watched: Watched) -> tuple[int, int]:
    """What a kubelet hears of the pod: alive, ready."""
    port = watched.environment["METRICS_PORT"]
    live, ready = (asked(f"http://127.0.0.1:{port}/health/{kind}")[0] for kind in ("live", "ready"))
    return live, ready


def test_a_program_that_a_change_broke_is_alive_and_not_ready_until_the_next_change(watched: Watched) -> None:
    watched.word("raise RuntimeError('broken')\n")
    watched.await_log("the program ended with 1: it is started again when the code changes")
    wait_until(lambda: probes(watched) == (200, 503), what="the answer to probes")
    watched.word("WORD = 'three'\n")
    watched.await_said("began one", "ended one", "began three")

    # The program itself listens nowhere: from now on it is asked.
    wait_until(lambda: probes(watched) == (0, 0), what="the end of the answers")


def test_a_program_that_takes_its_time_to_start_anew_is_alive_and_not_ready(watched: Watched, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    watched.word(f"import os, time\nwhile not os.path.exists({str(go_on)!r}):\n    time.sleep(0.05)\nWORD = 'two'\n")
    wait_until(lambda: probes(watched) == (200, 503), what="the answer to probes")
    by_heartbeat = [probe.look(watched.environment["HEARTBEAT_FILE"], kind)[0] for kind in ("live", "ready")]
    go_on.touch()
    watched.await_log("the new code serves")

    assert [True, False] == by_heartbeat
    assert ["began one", "ended one", "began two"] == watched.said()


def test_a_deleted_file_is_a_change(watched: Watched) -> None:
    (watched.code / "word.py").unlink()
    watched.await_log("word.py changed")
    watched.await_log("the program ended with 1")

    assert ["began one", "ended one"] == watched.said()


def test_being_told_to_end_is_handed_on_with_the_programs_exit_code(watched: Watched) -> None:
    watched.process.send_signal(signal.SIGTERM)

    assert 7 == watched.process.wait(20)


def test_another_process_of_the_container_runs_as_ever(watched: Watched) -> None:
    line = [sys.executable, "-c", "import word; print(word.WORD); raise SystemExit(3)"]
    done = subprocess.run(line, env=watched.environment, capture_output=True, text=True, timeout=30)

    assert (3, "one\n") == (done.returncode, done.stdout)


def test_what_a_killed_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    child = "import os, pathlib, subprocess, sys, word\nchild = subprocess.Popen(['sleep', '600'])\n"
    child += "pathlib.Path(os.environ['TOLD']).write_text(str(child.pid))\nos.kill(os.getpid(), 9)\n"
    written(tmp_path, "program", child)
    made = Watched(tmp_path, "program")

    assert 137 == made.process.wait(20)
    wait_until(lambda: not alive(int(made.told.read_text())), what="the end of the child")


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and that nobody has asked for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


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


def test_modules_that_the_image_compiled_do_not_hide_a_change(tmp_path: Path) -> None:
    written(tmp_path, "program", PROGRAM)
    by_content = py_compile.PycInvalidationMode.CHECKED_HASH
    py_compile.compile(str(tmp_path / "app" / "word.py"), invalidation_mode=by_content, doraise=True)
    with ended(Watched(tmp_path, "program")) as made:
        made.await_said("began one")
        assert list((made.code / "__pycache__").glob("word.*.pyc"))
        made.word("WORD = 'two'\n")

        made.await_said("began one", "ended one", "began two")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[Watched, Callable[[], tuple[int, str]]]]:
    """An API under the reloader, and how to ask it."""
    written(tmp_path, "shop", API)
    port = free_port()
    made = Watched(
        tmp_path,
        "chassis.serve",
        "shop",
        PORT=str(port),
        METRICS_PORT=str(free_port()),
        DATABASE_URL="postgresql+psycopg://nobody@127.0.0.1:1/none",
        BROKER_URL="amqp://127.0.0.1:1/none",
        LINGER_SECONDS="2",
    )
    with ended(made):
        wait_until(lambda: asked(f"http://127.0.0.1:{port}/word") == (200, "one"), what="the API", seconds=60)
        yield made, lambda: asked(f"http://127.0.0.1:{port}/word")


def replaced(made: Watched, answers: list[tuple[int, str]], word: str) -> None:
    """Change the code, and wait until nothing but the new one answers; the old one does until it has ended."""
    made.word(f"WORD = '{word}'\n")
    wait_until(lambda: answers[-1:] == [(200, word)], what=word)
    wait_until(lambda: set(answers[-40:]) == {(200, word)}, what=f"{word} alone")


def test_an_api_answers_every_request_while_its_code_is_replaced(
    api: tuple[Watched, Callable[[], tuple[int, str]]],
) -> None:
    made, ask = api
    answers: list[tuple[int, str]] = []
    enough = threading.Event()

    def keep_asking() -> None:
        while not enough.is_set():
            answers.append(ask())
            time.sleep(0.002)  # a request at any moment of the change, not only when the last one was answered

    asking = [threading.Thread(target=keep_asking) for _ in range(2)]
    for one in asking:
        one.start()
    try:
        replaced(made, answers, "two")
        replaced(made, answers, "three")
    finally:
        enough.set()
        for one in asking:
            one.join()

    assert {(200, "one"), (200, "two"), (200, "three")} == set(answers)


def test_an_api_whose_new_code_does_not_come_up_goes_on_with_the_old(
    api: tuple[Watched, Callable[[], tuple[int, str]]],
) -> None:
    made, ask = api
    made.word("raise RuntimeError('broken')\n")
    made.await_log("the new code does not serve (it ended with 1)")
    before = ask()
    made.word("WORD = 'two'\n")
    wait_until(lambda: ask() == (200, "two"), what="the mended code")

    assert (200, "one") == before


def test_a_process_that_nobody_watches_begins_as_ever() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RELOAD_FROM"} | {
        "PYTHONPATH": str(RELOAD)
    }
    done = subprocess.run(
        [sys.executable, "-c", "print(1)"], env=environment, capture_output=True, text=True, check=True
    )

    assert "1\n" == done.stdout
