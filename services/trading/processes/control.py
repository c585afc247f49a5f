"""The doors for what does not come by FIX: a Unix socket in the shard's folder, and a TCP port for the API.

A request is a line of JSON, its answer another one:

| request | from | answer |
|---|---|---|
| `{"input": [numbers]}` | operators: phases, kill switches, limits, symbols, …; clients: orders and cancels | `{"outcomes": […]}` |
| `{"status": client_id}` | clients | `{"outcomes": [STATUS]}` |
| `{"book": symbol}` | anybody known | depth and last trades as the keeper wrote them last |
| `{"venue": true}` | anybody known | kill switches and refusals as the keeper wrote them last |
| `{"ping": true}` | anybody known | `{}` |

On TCP each request has the caller's `token`, so whoever reaches the port can do no more than its token allows. Who may open the Unix
socket may do what an operator may, so its mode is 0600; there a request may be the list of numbers alone. The outcomes of a client's input
end with a STATUS of its client id, which tells what the engine knows of it. `{"error": …}` says that nothing was handed over; with
`"unknown": true` it may have been. A connection carries as many requests as its client likes. It is closed when it asked for nothing for
IDLE_SECONDS; `"closing": true` says that no request after this answer is read.
"""

import hashlib
import json
import os
import socket
import time
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading.adapters import depth_files
from trading.adapters.control_client import unix_address
from trading.adapters.fix.directory import Directory, Login
from trading.adapters.layouts import STATUS, STATUS_REQUEST, NotEncodable, encode_input
from trading.adapters.ring import Sender
from trading.domain.records import BadRecord, Record, checked
from trading.domain.terms import Input, Outcome

OF_OPERATORS = frozenset(
    (Input.PHASE, Input.KILL, Input.PROPOSE_LIMITS, Input.APPROVE_LIMITS, Input.DAY, Input.MARKET_DATA, Input.LIST)
)
OF_CLIENTS = frozenset((Input.NEW, Input.CANCEL, Input.REPLACE, Input.MASS_CANCEL))
OF_PERSONS = frozenset((Input.PROPOSE_LIMITS, Input.APPROVE_LIMITS))
LINE_BYTES = 4096
CONNECTIONS = 256
"""At most, of both doors."""
IDLE_SECONDS = 60.0
"""A connection without a whole line for so long is closed. The API closes its own much earlier, so none is closed while it sends."""
DRAINING = "DRAINING: the venue is restarting"


@dataclass(eq=False, slots=True)
class Peer:
    """A connection to one of the doors."""

    socket: socket.socket
    trusted: bool
    """Whether it came by the Unix socket."""
    asked: float
    """When its last line came, on the monotonic clock."""
    rest: bytes = b""


@dataclass(eq=False, slots=True)
class Question:
    """Who waits for the STATUS that the engine says next of a session, and what was said before it of this client id."""

    peer: Peer | None
    """None for a session's own, by FIX."""
    client_id: int
    said: list[Record] = field(default_factory=list)


class Control:
    """Takes requests in the thread of the selector, and outcomes in that of the reports."""

    def __init__(self, folder: Path, inputs: Sender, directory: Directory, address: tuple[str, int] | None) -> None:
        self._folder, self._inputs, self._directory = folder, inputs, directory
        self.listeners = [_unix(folder / "control")]
        if address:
            self.listeners.append(socket.create_server(address, backlog=CONNECTIONS))
        for listener in self.listeners:
            listener.setblocking(False)
        self._questions: dict[int, deque[Question]] = defaultdict(deque)
        """By session, in the order in which the engine answers."""
        self._peers: set[Peer] = set()
        self.draining = False

    def accept(self, listener: socket.socket) -> Peer | None:
        """A new connection; None when there are enough."""
        accepted, _ = listener.accept()
        accepted.setblocking(False)
        peer = Peer(accepted, trusted=accepted.family == socket.AF_UNIX, asked=time.monotonic())
        if len(self._peers) >= CONNECTIONS:
            _answer(peer, {"error": f"BUSY: {CONNECTIONS} connections are open", "closing": True})
            accepted.close()
            return None
        if not peer.trusted:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peers.add(peer)
        return peer

    def idle(self, now: float) -> list[Peer]:
        """Connections that asked for nothing for too long."""
        return [peer for peer in self._peers if now - peer.asked > IDLE_SECONDS]

    def end(self) -> None:
        """Tell all, also who was not accepted yet, that nothing more is read; what was read is answered already. Listen no more."""
        for listener in self.listeners:
            with suppress(OSError):
                while True:
                    self.accept(listener)
            listener.close()
        for peer in self._peers:
            _answer(peer, {"error": DRAINING, "closing": True})

    def close(self, peer: Peer) -> None:
        """A connection is over."""
        self._peers.discard(peer)
        peer.socket.close()

    def receive(self, peer: Peer) -> bool:
        """Read what a connection sent; False when it is over."""
        try:
            data = peer.socket.recv(LINE_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, peer.rest = (peer.rest + data).split(b"\n")
        if lines:
            peer.asked = time.monotonic()
        for line in lines:
            self._request(peer, line)
        return bool(data) and len(peer.rest) <= LINE_BYTES

    def ask_for_fix(self, session: int, message: bytes) -> bool:
        """Hand over a session's own question, whose answer is a report. False when the ring is full."""
        return self._ask(session, Question(None, 0), message)

    def told(self, outcome: Record) -> bool:
        """An outcome that the engine says for the first time. True when it answers a door, and is no report."""
        questions = self._questions.get(outcome[1])
        if not questions:
            return False
        first = questions[0]
        if outcome[0] != STATUS:
            if first.peer and (not outcome[1] or first.client_id in _named(outcome)):
                first.said.append(outcome)
            return False
        questions.popleft()
        if first.peer:
            _answer(first.peer, {"outcomes": [*first.said, *([outcome] if outcome[1] else [])]})
        return first.peer is not None

    def _request(self, peer: Peer, line: bytes) -> None:
        try:
            asked = json.loads(line)
            asked = {"input": asked} if isinstance(asked, list) else asked
            caller = 0 if peer.trusted else self._caller(asked.get("token"))
            if "ping" in asked:
                return _answer(peer, {})
            if "book" in asked:
                return _send(peer, self._kept(f"{depth_files.FOLDER}/{int(asked['book'])}.json"))
            if "venue" in asked:
                return _send(peer, self._kept(depth_files.VENUE))
            if self.draining and "input" in asked:
                raise BadRecord(DRAINING)
            if "status" in asked:
                if not isinstance(caller, Login):
                    raise BadRecord("only clients have orders")
                record: Record = (STATUS_REQUEST, caller.id, 0, asked["status"])
            else:
                record = self._permitted(checked(asked["input"]), caller)
            message = encode_input(record)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BadRecord, NotEncodable) as error:
            return _answer(peer, {"error": str(error) or repr(error)})
        self._hand_over(peer, record, message)
        return None

    def _hand_over(self, peer: Peer, record: Record, message: bytes) -> None:
        kind, session = record[0], 0 if record[0] in OF_OPERATORS else record[1]
        if kind == STATUS_REQUEST:
            if not self._ask(session, Question(peer, record[3]), message):
                _answer(peer, {"error": "BUSY: the engine is behind"})
            return
        client_id = record[2] if session else 0
        question, status = Question(peer, client_id), encode_input((STATUS_REQUEST, session, 0, client_id))
        # Before the input: what it makes is said while this thread hands over the question.
        self._questions[session].append(question)
        operator = kind in OF_OPERATORS
        if not self._inputs.send(message, urgent=kind == Input.MASS_CANCEL, operator=operator):
            self._questions[session].remove(question)
            _answer(peer, {"error": "BUSY: the engine is behind"})
        elif not self._inputs.send(status, urgent=True, operator=operator):
            self._questions[session].remove(question)
            _answer(peer, {"error": "BUSY: the engine is behind", "unknown": True})

    def _ask(self, session: int, question: Question, message: bytes) -> bool:
        self._questions[session].append(question)
        if self._inputs.send(message, urgent=True):
            return True
        self._questions[session].remove(question)
        return False

    def _caller(self, token: Any) -> Login | int:
        """The client or the person who holds a token. Raises BadRecord."""
        digest = hashlib.sha256(str(token).encode()).hexdigest()
        caller = self._directory.clients.get(digest) or self._directory.operators.get(digest)
        if caller is None:
            raise BadRecord("UNKNOWN_TOKEN: nobody has this token")
        return caller

    def _permitted(self, record: Record, caller: Login | int) -> Record:
        """The record, if the caller may send it. Raises BadRecord."""
        kind = record[0]
        if isinstance(caller, Login):
            if kind not in OF_CLIENTS or record[1] != caller.id:
                raise BadRecord(f"kind {kind} of session {record[1]} is not taken from session {caller.id}")
            if kind == Input.NEW and record[3] not in caller.accounts:
                raise BadRecord(f"account {record[3]} is none of this session")
        elif kind not in OF_OPERATORS:
            raise BadRecord(f"kind {kind} is not taken here")
        elif caller and kind in OF_PERSONS and record[2] != caller:
            raise BadRecord(f"person {record[2]} is not the one whose token this is, {caller}")
        return record

    def _kept(self, name: str) -> bytes:
        """What the keeper wrote last. Raises BadRecord when there is nothing."""
        path = self._folder / name
        # A power failure may leave an empty file until the keeper has written it again.
        if not (found := path.read_bytes() if path.exists() else b""):
            raise BadRecord(f"there is no {name} yet")
        return found


def _unix(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    old = os.umask(0o177)
    try:
        with unix_address(path) as where:
            listener.bind(where)
    finally:
        os.umask(old)
    listener.listen(CONNECTIONS)
    return listener


def _named(outcome: Record) -> tuple[int, ...]:
    """The client ids that an outcome is about: of the order, and of what asked for it."""
    return (outcome[2], outcome[9]) if outcome[0] == Outcome.CANCELLED else (outcome[2],)


def _answer(peer: Peer, answer: dict[str, object]) -> None:
    _send(peer, json.dumps(answer).encode())


def _send(peer: Peer, line: bytes) -> None:
    """Send a line. Who does not read is let go of: nobody waits for it."""
    try:
        if peer.socket.send(line + b"\n") <= len(line):
            peer.socket.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Who asked is gone, or reads nothing.
        return
