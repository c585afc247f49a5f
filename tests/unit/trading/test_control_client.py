"""What a worker says to its engine, and what it makes of every answer: only a record that is none is a fault of the worker."""

import importlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis import periodic
from chassis.errors import Transient
from trading.adapters.control_client import ask
from trading.adapters.layouts import Between
from trading.domain.records import BadRecord
from trading.domain.sessions import Session
from trading.domain.terms import Input, Outcome
from trading.ports import NoAnswer, NotHandedOver
from trading.processes.control import DRAINING

DAY = (int(Input.DAY), 20_000)
DONE = [int(Outcome.DONE), 0, 0, int(Input.DAY), 1]

Answer = Callable[[bytes], None]


@pytest.fixture
def answer(tmp_path: Path) -> Iterator[Answer]:
    """Answers the next caller of the socket `control` so, whatever he asks."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control"))
        listener.listen()

        def answered(line: bytes) -> None:
            caller, _ = listener.accept()
            with caller, caller.makefile("rb") as lines:
                lines.readline()
                caller.sendall(line)

        threads: list[threading.Thread] = []

        def start(line: bytes) -> None:
            threads.append(threading.Thread(target=answered, args=(line,), daemon=True))
            threads[-1].start()

        yield start
        for thread in threads:
            thread.join(5)


def said(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


PASSING = [
    pytest.param(said(error=DRAINING), NotHandedOver, DRAINING, id="it ends"),
    pytest.param(said(error="BUSY: the engine is behind"), NotHandedOver, "BUSY", id="its ring is full"),
    pytest.param(said(error="BUSY: 256 connections are open", closing=True), NotHandedOver, "BUSY", id="it is full"),
    pytest.param(said(error="BUSY: the engine is behind", unknown=True), NoAnswer, "BUSY", id="nobody knows"),
    pytest.param(b"", NoAnswer, "ended before it answered", id="it was killed"),
    pytest.param(said(outcomes=[])[:-5], NoAnswer, "ended before it answered", id="it was killed while it answered"),
    pytest.param(
        said(outcomes=[[int(Between.JOURNAL_FULL), 0, 0]]), NotHandedOver, "JOURNAL_FULL", id="its disk is full"
    ),
]


@pytest.mark.parametrize(("line", "kind", "told"), PASSING)
def test_what_will_pass_is_told_apart(
    answer: Answer, tmp_path: Path, line: bytes, kind: type[Exception], told: str
) -> None:
    answer(line)

    with pytest.raises(kind, match=told):
        ask(tmp_path / "control", *DAY)


def test_an_input_that_is_none_is_refused_with_the_reason(answer: Answer, tmp_path: Path) -> None:
    answer(said(error="no input of kind 99"))

    with pytest.raises(BadRecord, match="no input of kind 99"):
        ask(tmp_path / "control", 99)


def test_what_became_of_an_input_is_given(answer: Answer, tmp_path: Path) -> None:
    answer(said(outcomes=[DONE]))

    assert [DONE] == ask(tmp_path / "control", *DAY)


def test_a_gateway_that_is_away_takes_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotHandedOver, match=r"the gateway is away: .*No such file"):
        ask(tmp_path / "control", *DAY)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application of a worker whose shard lies here."""
    monkeypatch.setenv("BROKER_URL", "amqp://nobody@127.0.0.1:1//")
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    found = importlib.import_module("trading.app")
    monkeypatch.setattr(found, "settings", found.settings.model_copy(update={"data_dir": tmp_path}))
    return found


@pytest.mark.parametrize(("line", "kind", "told"), PASSING)
def test_a_tick_that_the_engine_does_not_take_now_is_skipped_and_not_parked(
    answer: Answer, app: Any, line: bytes, kind: type[Exception], told: str
) -> None:
    answer(line)

    with pytest.raises(Transient, match=told) as raised:
        app.begin_day()
    assert periodic.will_pass(raised.value)


class OneSession:
    """The sessions of a market that is open."""

    def __init__(self, database_url: str, calendar: str) -> None: ...

    def near(self, now_us: int) -> list[Session]:
        return [Session(now_us // 86_400_000_000, 0, now_us + 1_000_000)]


def test_a_tick_before_the_sessions_are_written_is_skipped_and_not_parked(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.adapters.session_store.SqlSessionStore", OneSession)
    monkeypatch.setattr(OneSession, "near", lambda self, now_us: [])

    with pytest.raises(Transient, match="the sessions that were written ahead are none"):
        app.follow_sessions()


def test_a_phase_that_cannot_be_kept_is_not_told_to_be_a_gateway_that_is_away(
    app: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.adapters.session_store.SqlSessionStore", OneSession)
    (tmp_path / "session").mkdir()

    with pytest.raises(Transient, match=r"which phase was said last .*Is a directory.*session"):
        app.follow_sessions()
