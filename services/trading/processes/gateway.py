"""The gateway process: FIX over TCP on one side, the rings on the other.

One thread waits for the sockets and hands inputs over; another one waits for outcomes (reporting.py). Neither waits for a client.
"""

import logging
import selectors
import socket
import time
from typing import Any

from trading.adapters.board import Board, Field, State
from trading.adapters.fix import terms
from trading.adapters.fix.codec import Fields, Garbled, Oversized
from trading.adapters.fix.directory import Directory, Login, read
from trading.adapters.fix.reports import Reports
from trading.adapters.fix.requests import MissingTag, Refused, Request, request
from trading.adapters.fix.session import FixSession, Verdict
from trading.adapters.fix.stamp import Stamp
from trading.adapters.kept_numbers import KeptNumbers
from trading.adapters.layouts import encode_input
from trading.adapters.ring import Receiver, Sender
from trading.domain.terms import Input
from trading.processes.connection import Connection
from trading.processes.control import Control, Peer
from trading.processes.reporting import Reporting
from trading.processes.settings import ShardSettings

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
LOGON_SECONDS = 5.0
CONNECTIONS = 256
RECEIVE_BYTES = 65536


class Gateway:
    """All sessions of one shard. `run` returns when it was told to end and the engine has said its last."""

    def __init__(self, settings: ShardSettings, board: Board, inputs: Sender, outcomes: Receiver) -> None:
        self._settings, self._board, self._inputs = settings, board, inputs
        self._directory: Directory = read(settings.sessions)
        self._reports = Reports(self._directory)
        self._stamp = Stamp()
        self._sessions = {login.id: self._session(login) for login in self._directory.logins.values()}
        self._to_end = [login for login in self._directory.logins.values() if login.cancel_on_disconnect]
        """Sessions whose orders have to leave: also those of a gateway that was killed."""
        self._connections: set[Connection] = set()
        self._selector = selectors.DefaultSelector()
        self._waking, self._woken = socket.socketpair()
        for sock in (self._waking, self._woken):
            sock.setblocking(False)
        self._listener = socket.create_server((settings.host, settings.port), backlog=CONNECTIONS)
        self._listener.setblocking(False)
        address = None if settings.door_port is None else (settings.host, settings.door_port)
        self._control = Control(settings.folder, inputs, self._directory, address)
        self._reporting = Reporting(
            settings.reported, outcomes, self._reports, self._sessions, self._control, self._wake
        )
        for sock, data in ((self._listener, "fix"), (self._woken, "wake")):
            self._selector.register(sock, selectors.EVENT_READ, data)
        for sock in self._control.listeners:
            self._selector.register(sock, selectors.EVENT_READ, "control")
        self._draining = False
        self._received = 0

    def end(self, *_: object) -> None:
        """Refuse new orders, and return when the engine has drained; a signal handler."""
        self._draining = self._control.draining = True

    def run(self) -> None:
        """Serve until told to end."""
        board = self._board
        board.set(Field.GATEWAY_PORT, self._listener.getsockname()[1])
        self._reporting.start()
        board.set(Field.GATEWAY_STATE, State.READY)
        ticked = 0.0
        while not self._reporting.ended:
            for key, events in self._selector.select(TICK_SECONDS):
                self._serve(key.fileobj, key.data, events)
            now = time.monotonic()
            if now - ticked >= TICK_SECONDS:
                ticked = now
                if self._reporting.alive(now):
                    board.beat(Field.GATEWAY_BEAT)
                self._tick(now)
        self._control.end()
        for connection in list(self._connections):
            if connection.session:
                connection.session.log_out("the venue is restarting")
            self._close(connection, "the gateway ends")

    def _serve(self, sock: Any, data: object, events: int) -> None:
        if data == "fix":
            self._accept()
        elif data == "control":
            if peer := self._control.accept(sock):
                self._selector.register(peer.socket, selectors.EVENT_READ, peer)
        elif isinstance(data, Peer):
            if not self._control.receive(data):
                self._close_peer(data)
        elif data == "wake":
            sock.recv(RECEIVE_BYTES)
            for connection in list(self._connections):
                self._after_writing(connection)
        elif isinstance(data, Connection):
            if events & selectors.EVENT_WRITE:
                data.flush()
            if events & selectors.EVENT_READ:
                self._receive(data)
            self._after_writing(data)

    def _accept(self) -> None:
        sock, address = self._listener.accept()
        if len(self._connections) >= CONNECTIONS:
            log.warning("connection_refused", extra={"address": str(address), "connections": len(self._connections)})
            return sock.close()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, self._wake, time.monotonic())
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        return None

    def _wake(self) -> None:
        try:
            self._waking.send(b"w")
        except BlockingIOError:
            # It is awake already.
            return

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            connection.broken = str(error)
            return
        if not data:
            connection.broken = "the client closed it"
            return
        now = time.monotonic()
        try:
            for message in connection.framer.feed(data):
                if isinstance(message, Garbled):
                    log.warning("fix_garbled", extra={"reason": str(message)})
                elif not connection.ending:
                    self._take(connection, message, now)
        except Oversized as error:
            if connection.session:
                connection.session.log_out(str(error))
            connection.broken = str(error)

    def _take(self, connection: Connection, fields: Fields, now: float) -> None:
        self._received += 1
        session = connection.session
        if session is None:
            return self._log_on(connection, fields, now)
        if (fields.get(terms.SENDER), fields.get(terms.TARGET)) != (session.login.company, self._directory.company):
            session.reject(
                fields.get(terms.MSG_SEQ_NUM, b"0"), fields[terms.MSG_TYPE], terms.SENDER, 9, "CompID problem"
            )
            connection.ending = True
            return None
        verdict = session.receive(fields, now)
        if verdict is Verdict.TAKE:
            self._hand_over(session, fields)
        elif verdict is Verdict.END:
            connection.ending = True
        return None

    def _log_on(self, connection: Connection, fields: Fields, now: float) -> None:
        login = self._directory.logins.get(fields.get(terms.SENDER, b""))
        if (
            fields[terms.MSG_TYPE] != terms.LOGON
            or login is None
            or fields.get(terms.TARGET) != self._directory.company
            or not login.knows(fields.get(terms.PASSWORD, b""))
        ):
            connection.broken = "it did not log on with a known CompID and password"
            return
        session = self._sessions[login.id]
        if session.write is not None:
            connection.broken = f"{login.company.decode()} is logged on already"
            return
        connection.session = session
        connection.ending = session.log_on(fields, connection.write, now) is Verdict.END

    def _hand_over(self, session: FixSession, fields: Fields) -> None:
        login, kind = session.login, fields[terms.MSG_TYPE]
        number = fields[terms.MSG_SEQ_NUM]
        try:
            asked = request(fields, login, self._directory)
            if self._draining and kind != terms.STATUS:
                raise Refused(terms.CL_ORD_ID, "DRAINING: the venue is restarting")
            client_id = asked.record[2]
            if client_id:
                self._reporting.pending[login.id][client_id] = asked
            message = encode_input(asked.record)
            if kind == terms.STATUS:
                handed = self._control.ask_for_fix(login.id, message)
            else:
                handed = self._inputs.send(message, urgent=kind == terms.MASS_CANCEL)
            if not handed:
                self._board.set(Field.GATEWAY_REFUSED_FULL, self._board.get(Field.GATEWAY_REFUSED_FULL) + 1)
                self._reporting.pending[login.id].pop(client_id, None)
                raise Refused(terms.CL_ORD_ID, "BUSY: the engine is behind")
        except MissingTag as error:
            session.reject(number, kind, error.tag, 1, str(error))
        except Refused as error:
            raw = Request((0,), kind, fields[terms.CL_ORD_ID], fields.get(terms.ORIG_CL_ORD_ID, b"NONE"), None, 0)
            session.send(*self._reports.refused(raw, login.id, 0, str(error)))

    def _tick(self, now: float) -> None:
        self._to_end = [login for login in self._to_end if not self._end_orders(login)]
        if self._draining and not self._to_end:
            self._board.set(Field.GATEWAY_STATE, State.DRAINED)
        for connection in list(self._connections):
            session = connection.session
            if session and session.tick(now) is Verdict.END:
                connection.ending = True
            elif not session and now - connection.since > LOGON_SECONDS:
                connection.broken = "it did not log on in time"
            self._after_writing(connection)
        for peer in self._control.idle(now):
            self._close_peer(peer)
        self._board.set(Field.GATEWAY_MESSAGES_IN, self._received)
        self._board.set(Field.GATEWAY_MESSAGES_OUT, self._reporting.told)
        self._board.set(Field.GATEWAY_SESSIONS, sum(1 for one in self._connections if one.session))

    def _end_orders(self, login: Login) -> bool:
        """Cancel-on-disconnect; False when the ring has no room even for that."""
        return self._inputs.send(encode_input((int(Input.SESSION_ENDED), login.id)), urgent=True)

    def _after_writing(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        if connection.broken or (connection.ending and not connection.waits):
            self._close(connection, connection.broken)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.waits else 0)
        self._selector.modify(connection.socket, events, connection)

    def _close(self, connection: Connection, reason: str) -> None:
        self._connections.discard(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()
        session = connection.session
        if session:
            session.write = None
            if session.login.cancel_on_disconnect and not self._end_orders(session.login):
                self._to_end.append(session.login)
        if reason:
            log.info("fix_closed", extra={"reason": reason, "session": session.login.id if session else 0})

    def _close_peer(self, peer: Peer) -> None:
        self._selector.unregister(peer.socket)
        self._control.close(peer)

    def _session(self, login: Login) -> FixSession:
        numbers = KeptNumbers(self._settings.folder / "sessions" / str(login.id), 2, initial=1)
        return FixSession(self._directory.company, login, numbers, self._stamp)
