"""Answers a kubelet in place of a program that is started anew, or that a change broke: alive, so that the pod stays, and not ready."""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BACKLOG = 2048


class Answer(BaseHTTPRequestHandler):
    """200 to `/health/live`; 503 to everything else, since nothing here does the work."""

    timeout = 5

    def do_GET(self) -> None:
        """By path."""
        status = 200 if self.path == "/health/live" else 503
        body = b"the program is started anew\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if status == 503:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Log no probe."""


def listening(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; on `::` it takes IPv4 as well. Raises OSError where the port is taken by one that does not share it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server(
        (host, port), family=family, backlog=BACKLOG, reuse_port=shared, dualstack_ipv6=host == "::"
    )


def hold(heartbeat: Path, seconds: float) -> None:
    """Say in the heartbeat of a program that ended that it is alive and not ready, for so long: a new one answers by it until its first."""
    try:
        record = json.loads(heartbeat.read_text())
    except (OSError, ValueError):
        return  # it has written none
    record |= {"pid": os.getpid(), "state": "restarting", "detail": "the code changed", "blocking": True}
    record["deadline"] = time.monotonic() + seconds
    beside = heartbeat.with_suffix(".held")
    beside.write_text(json.dumps(record))
    beside.replace(heartbeat)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """No traceback of a probe that is gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextlib.contextmanager
def answering(sockets: Sequence[socket.socket]) -> Iterator[None]:
    """Answer on these sockets for as long as the block runs; they stay open."""
    servers = []
    for one in sockets:
        server = _Server(one.getsockname()[:2], Answer, bind_and_activate=False)
        server.socket.close()
        server.socket = one
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
