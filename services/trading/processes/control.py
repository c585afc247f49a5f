"""The door for what does not come from clients: phases, kill switches, limits, symbols, days, market data. A Unix socket in the shard's
folder.

A request is a line of JSON, the input as a list of numbers; the answer is a line with the list of what it made of session 0. Who may
open the socket may do anything, so its mode is 0600 and people reach it by a service that knows who they are.
"""

import json
import os
import socket
from collections import deque
from pathlib import Path

from trading.adapters.layouts import Between, NotEncodable, encode_input
from trading.adapters.ring import Sender
from trading.domain.records import BadRecord, Record, checked
from trading.domain.terms import Input

ALLOWED = frozenset(
    (Input.PHASE, Input.KILL, Input.PROPOSE_LIMITS, Input.APPROVE_LIMITS, Input.DAY, Input.MARKET_DATA, Input.LIST)
)
LINE_BYTES = 4096


class Control:
    """Takes requests in the thread of the selector, and outcomes in that of the reports."""

    def __init__(self, path: Path, inputs: Sender) -> None:
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        old = os.umask(0o177)
        try:
            self.listener.bind(str(path))
        finally:
            os.umask(old)
        self.listener.listen()
        self.listener.setblocking(False)
        self._inputs = inputs
        self._asked: deque[socket.socket] = deque()
        self._said: list[Record] = []

    def request(self, sock: socket.socket, line: bytes) -> None:
        """Hand an input over; what it makes of it is answered later, a refusal of the form at once."""
        try:
            record = checked(json.loads(line))
            if record[0] not in ALLOWED:
                raise BadRecord(f"kind {record[0]} is not taken here")
            message = encode_input(record)
        except (ValueError, TypeError, BadRecord, NotEncodable) as error:
            return _answer(sock, {"error": str(error)})
        # A question behind the input: what session 0 is told until its answer came of the input.
        question = encode_input((int(Between.STATUS_REQUEST), 0, 0, 0))
        self._asked.append(sock)
        if not (self._inputs.send(message, urgent=True) and self._inputs.send(question, urgent=True)):
            self._asked.pop()
            return _answer(sock, {"error": "the ring is full"})
        return None

    def told(self, outcome: Record) -> None:
        """An outcome of session 0."""
        if outcome[0] != Between.STATUS:
            self._said.append(outcome)
        elif self._asked:
            said, self._said = self._said, []
            _answer(self._asked.popleft(), {"outcomes": said})


def ask(path: Path, *record: int, timeout: float = 10.0) -> list[list[int]]:
    """Send one input to a shard and give what it made of it; raises BadRecord with the reason when it was not taken, OSError when
    nobody is there.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        sock.connect(str(path))
        sock.sendall(json.dumps(record).encode() + b"\n")
        with sock.makefile("rb") as file:
            answer = json.loads(file.readline() or b'{"error": "the gateway ended"}')
    if "error" in answer:
        raise BadRecord(answer["error"])
    outcomes: list[list[int]] = answer["outcomes"]
    return outcomes


def _answer(sock: socket.socket, answer: dict[str, object]) -> None:
    try:
        sock.send(json.dumps(answer).encode() + b"\n")
    except OSError:
        # Who asked is gone.
        return
