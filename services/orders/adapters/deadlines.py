"""A deadline for a whole HTTP exchange, for httpx, whose time-outs are those of single reads and writes.

A server that sends a byte a second, header after header, or one 1xx answer after the other keeps every one of them, for ever.
"""

import contextlib
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx
from httpcore import NetworkBackend, NetworkStream

_current = threading.local()


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """The calls of this thread in the block end after so many seconds in all; then they raise httpx.ReadTimeout or WriteTimeout."""
    _current.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _current.until = None


class DeadlineTransport(httpx.HTTPTransport):
    """HTTPTransport whose connections keep to `within`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # https://github.com/encode/httpx/pull/3749: httpx does not pass a network backend on to the pool, which takes one.
        assert isinstance(self._pool, httpcore.ConnectionPool)
        self._pool._network_backend = _Backend(self._pool._network_backend)


class _Backend(NetworkBackend):
    def __init__(self, backend: NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, left, local_address, socket_options))


class _Stream(NetworkStream):
    def __init__(self, stream: NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    until: float | None = getattr(_current, "until", None)
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise late("the time for the whole exchange is over")
    return left if timeout is None else min(timeout, left)
