"""A client of FIX 4.4 as the drills use it: as much of the session level as they need. Shares no code with the gateway.

Each connection begins both sequence numbers anew (141=Y): what was perhaps missed is asked for by client id, not by sequence number.
"""

import select
import socket
import time
from collections.abc import Iterator

VENUE = "VENUE"
SOH = b"\x01"
CONNECT_SECONDS = 2.0
LOGON_SECONDS = 5.0
HEARTBEAT_SECONDS = 30
RECEIVE_BYTES = 1 << 16

Message = dict[int, str]


class Disconnected(ConnectionError):
    """The session is over."""


class FixClient:
    """One session, logged on when this returns. Not for several threads. Raises Disconnected, as every method."""

    def __init__(self, host: str, port: int, company: str, password: str) -> None:
        self._company, self._number, self._rest = company, 1, b""
        try:
            self._socket = socket.create_connection((host, port), CONNECT_SECONDS)
        except OSError as error:
            raise Disconnected(str(error)) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sent_at = time.monotonic()
        self.send((("A", ((98, 0), (108, HEARTBEAT_SECONDS), (141, "Y"), (554, password))),))
        until = time.monotonic() + LOGON_SECONDS
        while not any(message[35] == "A" for message in self.receive(0.1)):
            if time.monotonic() > until:
                self.close()
                raise Disconnected("no answer to the logon")

    def send(self, messages: "tuple[tuple[str, tuple[tuple[int, object], ...]], ...]") -> None:
        """Send messages, each a type and its fields, in one piece."""
        data = b"".join(self._encoded(kind, fields) for kind, fields in messages)
        try:
            self._socket.settimeout(CONNECT_SECONDS)
            self._socket.sendall(data)
        except OSError as error:
            raise Disconnected(str(error)) from error
        self._sent_at = time.monotonic()

    def receive(self, seconds: float) -> Iterator[Message]:
        """The messages that are there, or come within so many seconds; test requests are answered."""
        if time.monotonic() - self._sent_at > HEARTBEAT_SECONDS:
            self.send((("0", ()),))
        try:
            if not select.select([self._socket], [], [], seconds)[0]:
                return
            data = self._socket.recv(RECEIVE_BYTES)
        except OSError as error:
            raise Disconnected(str(error)) from error
        if not data:
            raise Disconnected("the venue closed the connection")
        *whole, self._rest = self._split(data)
        for raw in whole:
            message = _decoded(raw)
            if message.get(35) == "1":
                self.send((("0", ((112, message.get(112, "")),)),))
            yield message

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _split(self, data: bytes) -> list[bytes]:
        """Whole messages, and the beginning of the next one at the end."""
        rest, found = self._rest + data, []
        # A checksum field ends each message: SOH 10=nnn SOH.
        while (at := rest.find(SOH + b"10=")) >= 0 and len(rest) >= at + 8:
            found.append(rest[: at + 8])
            rest = rest[at + 8 :]
        return [*found, rest]

    def _encoded(self, kind: str, fields: tuple[tuple[int, object], ...]) -> bytes:
        now = time.time()
        stamp = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}"
        head = ((35, kind), (49, self._company), (56, VENUE), (34, self._number), (52, stamp))
        self._number += 1
        body = b"".join(f"{tag}={value}".encode() + SOH for tag, value in (*head, *fields))
        message = b"8=FIX.4.4" + SOH + f"9={len(body)}".encode() + SOH + body
        return message + f"10={sum(message) % 256:03d}".encode() + SOH


def _decoded(raw: bytes) -> Message:
    pairs = (field.partition(b"=") for field in raw.rstrip(SOH).split(SOH))
    return {int(tag): value.decode("ascii", "backslashreplace") for tag, _, value in pairs}
