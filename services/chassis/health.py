"""What a process says of itself over HTTP on `METRICS_PORT`: `/health/live` and `/health/ready` for a kubelet, `/metrics` for Prometheus.

It answers from threads of its own, by the heartbeat file and the verdict of chassis.probe, so what a probe learns is what the loop
last wrote, not that a thread of the process runs. An exec probe learns the same, at the price of a process in the container's
namespaces every few seconds a pod, which is what a node that is short of CPU has least of.
"""

import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chassis import exposition, probe
from chassis.loggers import get_logger
from chassis.settings import ServiceSettings

log = get_logger(__name__)

SLOWEST_CLIENT_SECONDS = 5
"""How long a connection may say nothing before it is dropped."""


class Listener(ThreadingHTTPServer):
    """An HTTP server on an address of either family; on `::` it takes IPv4 as well, whatever the machine's default is."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], *, share_port: bool = False
    ) -> None:
        self.address_family = family(address[0])
        self.allow_reuse_port = share_port
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """As the library's, without asking DNS for the machine's name."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A line of the log, where the library prints a traceback; none for a client that is gone, as a probe that waited for too long."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            log.error("server_error", error=repr(error))


def family(host: str) -> socket.AddressFamily:
    """Of the address that a process is to listen on; a name is looked up. Raises OSError for one that nobody knows."""
    if ":" in host:
        return socket.AF_INET6
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]


def serve(
    settings: ServiceSettings, registry: Any = None, also: Callable[[], bytes] = lambda: b""
) -> ThreadingHTTPServer | None:
    """Answer from now on, until the process ends; None without a port. Raises OSError when the port cannot be had.

    `registry` is one of prometheus_client, of a process that counts in its own memory; `also` gives more metrics as text.
    """
    if not settings.metrics_port:
        return None
    one_scrape_at_a_time = threading.Lock()  # two would add up the same files of the dead

    class Answer(BaseHTTPRequestHandler):
        """200 or 503 to a probe, with the reason; the counters of the pool to a scrape."""

        timeout = SLOWEST_CLIENT_SECONDS

        def do_GET(self) -> None:
            """By path; 404 to any other."""
            if self.path == "/metrics":
                with one_scrape_at_a_time:
                    body = exposition.exposition(settings, registry) + also()
                self._say(200, body, "text/plain; version=0.0.4; charset=utf-8")
            elif self.path in ("/health/live", "/health/ready"):
                good, why = probe.look(str(settings.heartbeat_file or ""), self.path.rpartition("/")[2])
                self._say(200 if good else 503, f"{why}\n".encode())
            else:
                self._say(404, b"there are /health/live, /health/ready and /metrics\n")

        def _say(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log no probe."""

    server = Listener((settings.host, settings.metrics_port), Answer, share_port=settings.share_port)
    # A child that outlives its main process would hold the port, and keep the next main process from starting.
    os.register_at_fork(after_in_child=server.socket.close)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
