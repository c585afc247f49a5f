"""Servers that say whatever a test tells them to: bytes over HTTP and over SMTP, on a port of their own."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterable
from typing import Any, ClassVar

from servers import end_serving

# What a client that does not give up by itself is sent at most: no test waits for it.
ENDLESS = 10_000
# Between two pieces of an answer that never ends: much less than any time-out of a single read.
PAUSE_SECONDS = 0.01


def http(status: int, body: bytes, *headers: bytes) -> bytes:
    """An HTTP answer."""
    head = [b"HTTP/1.1 %d Whatever" % status, b"Content-Length: %d" % len(body), b"Connection: close", *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


class Stranger:
    """Listens until `close`. `script` is what it says; each kind of server tells how it is read."""

    script: Any

    def __init__(self) -> None:
        stranger = self
        # Ends the pauses of an answer that never ends.
        self._closing = threading.Event()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                # A client that has had enough hangs up.
                with contextlib.suppress(OSError):
                    stranger.serve(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        end_serving(self._server)

    def say(self, connection: socketserver.StreamRequestHandler, said: bytes | Iterable[bytes]) -> None:
        """Send bytes, or piece after piece with a pause between."""
        if isinstance(said, bytes):
            connection.wfile.write(said)
            return
        for piece in said:
            connection.wfile.write(piece)
            connection.wfile.flush()
            if self._closing.wait(PAUSE_SECONDS):
                return

    def serve(self, connection: socketserver.StreamRequestHandler) -> None:
        raise NotImplementedError


class HttpStranger(Stranger):
    """Answers every request with `script`, which is bytes or an iterable of pieces, and hangs up."""

    script: bytes | Iterable[bytes] = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socketserver.StreamRequestHandler) -> None:
        length = 0
        while (line := connection.rfile.readline().strip().lower()) != b"":
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        connection.rfile.read(length)
        self.say(connection, self.script)
        connection.connection.shutdown(socket.SHUT_WR)


class SmtpStranger(Stranger):
    """Answers each command by its name (`greeting` and `text` among them) with what `script` has for it, else as it should."""

    USUAL: ClassVar = {
        "greeting": b"220 here\r\n",
        "EHLO": b"250 here\r\n",
        "MAIL": b"250 ok\r\n",
        "RCPT": b"250 ok\r\n",
        "DATA": b"354 go on\r\n",
        "text": b"250 taken\r\n",
        "RSET": b"250 ok\r\n",
        "QUIT": b"221 bye\r\n",
    }

    def __init__(self) -> None:
        self.script: dict[str, bytes | Iterable[bytes]] = {}
        self.connections = 0
        self.taken = 0
        super().__init__()

    def serve(self, connection: socketserver.StreamRequestHandler) -> None:
        self.connections += 1
        self._answer(connection, "greeting")
        while line := connection.rfile.readline():
            name = line[:4].decode("ascii", "replace").upper()
            self._answer(connection, name)
            if name == "DATA" and self.script.get("DATA", self.USUAL["DATA"]) == self.USUAL["DATA"]:
                while (text := connection.rfile.readline()) not in (b".\r\n", b""):
                    pass
                if text:
                    self.taken += 1
                    self._answer(connection, "text")

    def _answer(self, connection: socketserver.StreamRequestHandler, name: str) -> None:
        said = self.script.get(name, self.USUAL.get(name, b"500 what\r\n"))
        self.say(connection, said)
        if said == b"":
            connection.connection.shutdown(socket.SHUT_RDWR)
