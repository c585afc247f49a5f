"""An SMTP client whose replies are bounded: in time and length as a whole, where smtplib bounds each read only.

A server that sends a byte a second, or one continued line after the other, keeps smtplib for ever.
"""

import io
import smtplib
import socket
import time
from typing import Any

# A reply is some lines of 512 bytes at most (RFC 5321, 4.5.3.1.5).
LONGEST_REPLY = 64 * 1024


class Dialogue(smtplib.SMTP):
    """smtplib.SMTP; each reply, and each sending, has `reply_seconds`."""

    def __init__(self, host: str, port: int, *, local_hostname: str, connect_seconds: float) -> None:
        self.reply_seconds = connect_seconds
        self._replies: _Replies | None = None
        super().__init__(host, port, local_hostname=local_hostname, timeout=connect_seconds)

    def getreply(self) -> tuple[int, bytes]:
        """The next reply: code, and lines. Raises smtplib.SMTPException when it is late, too long or none."""
        if self.file is None and self.sock is not None:
            self._replies = _Replies(self.sock)
            self.file = io.BufferedReader(self._replies)
        if self._replies is not None:
            self._replies.begin(self.reply_seconds)
        return super().getreply()

    def send(self, s: Any) -> None:
        """Send all of it. Raises OSError."""
        if self.sock is not None:
            self.sock.settimeout(self.reply_seconds)
        super().send(s)


class _Replies(io.RawIOBase):
    """What comes out of the socket: until the reply's time is over, and as much as one may be long."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._until = 0.0
        self._left_bytes = 0

    def begin(self, seconds: float) -> None:
        """A reply begins."""
        self._until = time.monotonic() + seconds
        self._left_bytes = LONGEST_REPLY

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the reply took too long")
        if self._left_bytes <= 0:
            raise OSError(f"the reply is longer than {LONGEST_REPLY} bytes")
        self._sock.settimeout(left)
        got = self._sock.recv_into(buffer)
        self._left_bytes -= got
        return got
