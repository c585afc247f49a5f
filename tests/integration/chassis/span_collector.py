"""A collector of spans in this process, which answers correctly, now or later."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from servers import end_serving


class Collector:
    """An OTLP/HTTP receiver that answers after so long (s). `taken` counts spans whose sender was there for the answer; `spans` are all
    that came, if they are to be kept."""

    def __init__(self, *, answer_seconds: float = 0.0, keep: bool = True) -> None:
        self.answer_seconds = answer_seconds
        self.over = threading.Event()
        self.spans: list[Any] = []
        self.instances: set[str] = set()
        self.taken = 0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                came = [span for one in sent.resource_spans for scope in one.scope_spans for span in scope.spans]
                for resource in sent.resource_spans:
                    told = {a.key: a.value.string_value for a in resource.resource.attributes}
                    collector.instances.add(told["service.instance.id"])
                if keep:
                    collector.spans.extend(came)
                collector.over.wait(collector.answer_seconds)
                if not has_gone(self.connection):
                    collector.taken += len(came)
                with contextlib.suppress(OSError):  # who asked may have gone
                    self.send_response(200)
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def has_gone(connection: socket.socket) -> bool:
    """Whether the other end, which has nothing more to say, has closed it."""
    if not select.select([connection], [], [], 0)[0]:
        return False
    with contextlib.suppress(ConnectionError):
        return connection.recv(1, socket.MSG_PEEK) == b""
    return True


@contextmanager
def collecting(*, answer_seconds: float = 0.0, keep: bool = True) -> Iterator[Collector]:
    """One for the block; at its end it answers whoever still waits."""
    made = Collector(answer_seconds=answer_seconds, keep=keep)
    try:
        yield made
    finally:
        made.over.set()
        end_serving(made.server)
