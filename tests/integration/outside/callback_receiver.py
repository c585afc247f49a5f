"""A shop that takes callbacks: every request it got, and how it answers."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Callback:
    """One request as it came."""

    timestamp: str
    signature: str
    raw: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The JSON object."""
        event: dict[str, Any] = json.loads(self.raw)
        return event


class Shop:
    """Listens on a port of its own; `answer` is asked for the status of each callback.

    With `hangs_up` it closes each connection after one answer, without having said so.
    """

    def __init__(self) -> None:
        self.got: list[Callback] = []
        self.answer: Callable[[Callback], int] = lambda _: 204
        self.hangs_up = False
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                callback = Callback(
                    self.headers["X-Carrier-Timestamp"],
                    self.headers["X-Carrier-Signature"],
                    self.rfile.read(int(self.headers["Content-Length"])),
                )
                status = shop.answer(callback)
                shop.got.append(callback)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.close_connection = shop.hangs_up

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/callbacks/carrier"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def kinds(self, tracking_number: str) -> list[str]:
        """What was said about a parcel, in order."""
        return [c.event["kind"] for c in list(self.got) if c.event["tracking_number"] == tracking_number]
