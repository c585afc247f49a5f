"""An HTTP server that a check steers: it answers as told, one answer after the other, and keeps what it was asked and when."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INSIDE_PORT = 8080
"""The port by which learner code knows it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `after_seconds` is how long the server thinks before it, `byte_seconds` how long between two bytes of the body."""

    status: int = 200
    body: Any = None
    after_seconds: float = 0
    byte_seconds: float = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `at` is by the monotonic clock, in seconds."""

    at: float
    method: str
    path: str
    body: bytes


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away in the middle is what labs are about."""


class HttpServer:
    """On a free port of loopback; a path without a script gets 404. `later` is asked about what was not asked in time."""

    inside_port = INSIDE_PORT
    later: Callable[[Callable[[], bool], float], bool] = staticmethod(lambda holds, seconds: False)

    def __init__(self) -> None:
        self._scripts: dict[str, list[Answer]] = {}
        self._requests: list[Request] = []
        self._changed = threading.Condition()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = min(int(self.headers.get("Content-Length") or 0), 1_000_000)
                answer = owner._asked(self.command, self.path, self.rfile.read(length))
                time.sleep(answer.after_seconds)
                body = json.dumps(answer.body).encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if not answer.byte_seconds:
                    self.wfile.write(body)
                    return
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.byte_seconds)

            do_POST = do_PUT = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, path: str) -> str:
        """The address of a path as learner code calls it."""
        return f"http://localhost:{self.inside_port}{path}"

    def script(self, path: str, answers: Sequence[Answer]) -> None:
        """What the path answers, in this order; the last answer is repeated."""
        with self._changed:
            self._scripts[path] = list(answers)

    def requests(self, path: str) -> list[Request]:
        """What was asked of a path so far."""
        with self._changed:
            return [request for request in self._requests if request.path == path]

    def wait(self, path: str, count: int, seconds: float) -> bool:
        """Whether a path was asked so many times in time."""

        def enough() -> bool:
            return sum(one.path == path for one in self._requests) >= count

        with self._changed:
            if self._changed.wait_for(enough, max(0.0, seconds)):
                return True
        return self.later(enough, seconds)

    def end(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def _asked(self, method: str, path: str, body: bytes) -> Answer:
        with self._changed:
            self._requests.append(Request(time.monotonic(), method, path, body))
            self._changed.notify_all()
            script = self._scripts.get(path)
            if not script:
                return Answer(404, {"error": "not found"})
            return script.pop(0) if len(script) > 1 else script[0]
