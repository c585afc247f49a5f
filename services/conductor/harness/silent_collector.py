"""A telemetry collector that takes every connection and never answers: what a full one, or a firewall behind it, looks like."""

import contextlib
import socket
import threading
from collections.abc import Iterator

LOOK_SECONDS = 0.2


class SilentCollector:
    """`taken` counts the connections that it took."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._taken: list[socket.socket] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens, as OTEL_EXPORTER_OTLP_ENDPOINT takes it."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def taken(self) -> int:
        return len(self._taken)

    def _take(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                self._taken.append(self._listener.accept()[0])

    def close(self) -> None:
        """Break off every connection."""
        self._over.set()
        self._thread.join()
        for connection in [self._listener, *self._taken]:
            connection.close()


@contextlib.contextmanager
def listening() -> Iterator[SilentCollector]:
    """One on a free port of this machine during the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(LOOK_SECONDS)
    with contextlib.closing(SilentCollector(listener)) as collector:
        yield collector
