"""The doors of the gateway, without a gateway: what is handed over to an engine that takes nothing."""

import json
import multiprocessing
import socket
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
from trading.processes.control import Control
from trading.settings import COMPANY, Instrument

TOKENS = {"client": {"session": 1, "company": "CLIENT1", "accounts": [1]}, "operator": {"person": 1}}
SLOTS = 4 * CHUNK


@pytest.fixture
def ring() -> Iterator[Ring]:
    made = Ring(multiprocessing.get_context("spawn"), SLOTS)
    yield made
    made.unlink()


class Caller:
    """A connection to the TCP door, served in this thread."""

    def __init__(self, control: Control, token: str) -> None:
        self._control, self._token = control, token
        self._socket = socket.create_connection(control.listeners[1].getsockname())
        self._answers = self._socket.makefile("rb")
        peer = control.accept(control.listeners[1])
        assert peer is not None
        self._peer = peer

    def ask(self, **request: Any) -> None:
        self._socket.sendall(json.dumps({"token": self._token, **request}).encode() + b"\n")
        assert self._control.receive(self._peer)

    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer


def test_clients_cannot_take_the_slots_that_a_kill_switch_needs(tmp_path: Path, ring: Ring) -> None:
    path = tmp_path / "directory.json"
    write_directory(path, COMPANY, {"AAPL": Instrument(id=1)}, callers(json.dumps(TOKENS)))
    control = Control(tmp_path, ring.sender(), read(path), ("127.0.0.1", 0))
    client, operator = Caller(control, "client"), Caller(control, "operator")
    for _ in range(SLOTS - OPERATORS + 1):
        client.ask(status=1)
    busy = client.answer()
    operator.ask(input=[Input.KILL, Scope.ALL, 0, Switch.CANCEL])

    receiver = ring.receiver()
    handed = [decode_input(message) for message in iter(receiver.next, None)]
    assert {"error": "BUSY: the engine is behind"} == busy
    assert [(Input.KILL, Scope.ALL, 0, Switch.CANCEL), (Between.STATUS_REQUEST, 0, 0, 0)] == handed[SLOTS - OPERATORS :]
    for listener in control.listeners:
        listener.close()
