"""A proxy before a server of the outside world that writes down each call: when, about what, how long it took, what was answered.

The server itself keeps what took effect. That a call was slow, or refused, only who stands between can tell; no worker knows of it.
"""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_OWN = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True, slots=True)
class Call:
    """`key` is what the path or the body names: an order, an idempotency key or a tracking number. Times are seconds since the epoch."""

    method: str
    path: str
    key: str
    began: float
    seconds: float
    status: int


class Proxy:
    """Where it listens, the server behind it as `host:port`, and the calls that ended."""

    def __init__(self) -> None:
        self.address = ""
        self.upstream = ""
        self.calls: list[Call] = []


@contextmanager
def proxy() -> Iterator[Proxy]:
    """Listen during the block; whoever started the server behind it names that."""
    made = Proxy()

    class Handler(_Handler):
        owner = made

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            made.address = f"http://127.0.0.1:{server.server_address[1]}"
            yield made
        finally:
            server.shutdown()
            serving.join()


class _Handler(BaseHTTPRequestHandler):
    owner: Proxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        began, clock = time.time(), time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        upstream = http.client.HTTPConnection(self.owner.upstream, timeout=60)
        try:
            upstream.request(self.command, self.path, body or None, dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        # Who waited may be gone: the call was made all the same.
        with suppress(ConnectionError):
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OWN:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        seconds = time.monotonic() - clock
        self.owner.calls.append(Call(self.command, self.path, self._key(body), began, seconds, answer.status))

    def _key(self, body: bytes) -> str:
        parts = self.path.partition("?")[0].split("/")
        return parts[2].partition(":")[0] if len(parts) > 2 else str(json.loads(body)["order_id"]) if body else ""

    def log_message(self, *told: Any) -> None:
        """Says nothing."""
