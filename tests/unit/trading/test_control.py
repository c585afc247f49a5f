"""The doors of the gateway, without a gateway: what is handed over to an engine that takes nothing, and what the keeper has written."""

import json
import multiprocessing
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trading.adapters.directory_file import write_directory
from trading.adapters.fix.directory import read
from trading.adapters.layouts import Between, decode_input
from trading.adapters.ring import CHUNK, OPERATORS, Ring
from trading.callers import callers
from trading.domain.terms import Input, Scope, Switch
from trading.processes import control as control_module
from trading.processes.control import IDLE_SECONDS, Control
from trading.settings import COMPANY, Instrument

TOKENS = {"client": {"session": 1, "company": "CLIENT1", "accounts": [1]}, "operator": {"person": 1}}
SLOTS = 4 * CHUNK


@pytest.fixture
def ring() -> Iterator[Ring]:
    made = Ring(multiprocessing.get_context("spawn"), SLOTS)
    yield made
    made.unlink()


@pytest.fixture
def control(tmp_path: Path, ring: Ring) -> Iterator[Control]:
    path = tmp_path / "directory.json"
    write_directory(path, COMPANY, {"AAPL": Instrument(id=1)}, callers(json.dumps(TOKENS)))
    made = Control(tmp_path, ring.sender(), read(path), ("127.0.0.1", 0))
    yield made
    for listener in made.listeners:
        listener.close()


class Caller:
    """A connection to the TCP door, served in this thread."""

    def __init__(self, control: Control, token: str) -> None:
        self._control, self._token = control, token
        self._socket = socket.create_connection(control.listeners[1].getsockname())
        self._answers = self._socket.makefile("rb")
        peer = control.accept(control.listeners[1])
        assert peer is not None
        self.peer = peer

    def send(self, **request: Any) -> None:
        self._socket.sendall(json.dumps({"token": self._token, **request}).encode() + b"\n")

    def ask(self, **request: Any) -> None:
        self.send(**request)
        assert self._control.receive(self.peer)

    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer


def test_clients_cannot_take_the_slots_that_a_kill_switch_needs(control: Control, ring: Ring) -> None:
    client, operator = Caller(control, "client"), Caller(control, "operator")
    for _ in range(SLOTS - OPERATORS + 1):
        client.ask(status=1)
    busy = client.answer()
    operator.ask(input=[Input.KILL, Scope.ALL, 0, Switch.CANCEL])

    receiver = ring.receiver()
    handed = [decode_input(message) for message in iter(receiver.next, None)]
    assert {"error": "BUSY: the engine is behind"} == busy
    assert [(Input.KILL, Scope.ALL, 0, Switch.CANCEL), (Between.STATUS_REQUEST, 0, 0, 0)] == handed[SLOTS - OPERATORS :]


def test_a_connection_is_idle_a_minute_after_its_last_request(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Caller(control, "client"), Caller(control, "client")
    later = time.monotonic() + IDLE_SECONDS / 2
    with monkeypatch.context() as patch:
        patch.setattr(control_module.time, "monotonic", lambda: later)
        one.ask(ping=True)

    assert {} == one.answer()
    assert [] == control.idle(later)
    assert [other.peer] == control.idle(later + IDLE_SECONDS / 2 + 1)
    assert {one.peer, other.peer} == set(control.idle(later + IDLE_SECONDS + 1))


def test_who_finds_the_door_full_or_ending_is_told_that_nothing_was_read(
    control: Control, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(control, "client")
    monkeypatch.setattr(control_module, "CONNECTIONS", 1)
    late = socket.create_connection(control.listeners[1].getsockname())
    late.sendall(b'{"token": "client", "status": 1}\n')
    refused = control.accept(control.listeners[1])
    caller.send(status=1)
    monkeypatch.undo()
    waiting = socket.create_connection(control.listeners[1].getsockname(), timeout=5)
    waiting.sendall(b'{"token": "client", "status": 1}\n')
    control.end()

    with late, late.makefile("rb") as answers:
        told = json.loads(answers.readline())
    assert (None, "BUSY: 1 connections are open", True) == (refused, told["error"], told["closing"])
    with waiting, waiting.makefile("rb") as answers:
        not_accepted = json.loads(answers.readline())
    for ended in (caller.answer(), not_accepted):
        assert (True, True) == (ended["error"].startswith("DRAINING"), ended["closing"])
    assert ring.receiver().next() is None


def test_a_file_of_the_keeper_that_a_power_failure_left_empty_is_not_there_yet(
    control: Control, tmp_path: Path
) -> None:
    client = Caller(control, "client")
    (tmp_path / "venue.json").touch()

    client.ask(venue=True)
    empty = client.answer()
    (tmp_path / "venue.json").write_text('{"killed_from": 0}')
    client.ask(venue=True)

    assert [{"error": "there is no venue.json yet"}, {"killed_from": 0}] == [empty, client.answer()]
