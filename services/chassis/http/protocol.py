"""HTTP/1.1 with the limits that uvicorn has no setting for: on time, on size, and on the connections of one client.

| a client that | is answered |
|---|---|
| sends nothing, or blank lines | nothing: the connection is closed after `head_seconds` |
| sends a request's head or body too slowly | 408, when the head took `head_seconds` or the body `body_seconds` |
| sends a head, or trailers, of more than `HEAD_BYTES` | 431 |
| sends no HTTP, or ends in the middle of a request | 400 |
| does not read what is sent to it | nothing: the connection is aborted after `write_seconds` without progress |
| opens more connections than there may be | 503 |

A refusal never overtakes the answer to an earlier request on the same connection: that answer is the last one then. Pure but for the clock
of the event loop and the sockets. Sources: RFC 9110, RFC 9112 (6.3, 9.3, 9.5), RFC 6585 (431), tcp(7) for TCP_USER_TIMEOUT.
"""

import asyncio
import socket
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httptools
import prometheus_client
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from chassis.http.problems import Problem, answer

HEAD_BYTES = 16 * 1024
"""Longest head of a request: what Tomcat, Jetty and nginx allow is 8 to 32 KiB."""

SEND_BUFFER_BYTES = 64 * 1024
"""What the kernel keeps for a client that does not read, where it would take up to 4 MiB by itself."""

REFUSED = prometheus_client.Counter(
    "chassis_http_refused", "Requests and connections that the HTTP server ended by itself", ("reason",)
)

IDLE, HEAD, BODY, WHOLE = "idle", "head", "body", "whole"


@dataclass
class ConnectionLimits:
    """What the connections of one process may take; the same object for all of them, since it counts them by address."""

    connections: int = 2000
    """At most so many at a time, and half of them from one address: behind a proxy every connection has the proxy's."""

    head_seconds: float = 10.0
    body_seconds: float = 10.0
    write_seconds: float = 20.0
    by_address: Counter[str] = field(default_factory=Counter)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol for one connection, within limits."""

    def __init__(self, *args: Any, limits: ConnectionLimits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._state = IDLE
        self._timer: tuple[str, asyncio.TimerHandle] | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._deaf = False
        self._sizes = _Sizes()

    def connection_made(self, transport: Any) -> None:
        """Count the connection, or refuse it."""
        super().connection_made(transport)
        _bound(transport.get_extra_info("socket"), self._limits.write_seconds)
        address = self.client[0] if self.client else ""
        self._limits.by_address[address] += 1
        if len(self.connections) > self._limits.connections:
            self._refuse("connections", Problem(503, "too many connections are open", headers=_SOON))
        elif self._limits.by_address[address] > max(1, self._limits.connections // 2):
            self._refuse("connections of one address", Problem(503, "your address has too many connections open"))
        else:
            self._wait("head", self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Another protocol takes the connection, and this one hears of it no more; how many there are is its application's to limit."""
        self._forget()
        self._deaf = True
        super().handle_websocket_upgrade()

    def _forget(self) -> None:
        address = self.client[0] if self.client else ""
        self._limits.by_address[address] -= 1
        if self._limits.by_address[address] <= 0:
            del self._limits.by_address[address]
        self._wait(None)
        self._stop_write_timer()

    def data_received(self, data: bytes) -> None:
        """Parse, and see what is still to come."""
        if self._deaf or self.transport.is_closing():
            return
        self._sizes.begun = False
        super().data_received(data)
        if self._deaf:
            return
        if self._state is WHOLE:
            # Blank lines between requests start no request, but ended uvicorn's own wait for one.
            waits = self.cycle.response_complete and self.timeout_keep_alive_task is None
            self._wait("head" if waits else None, self._limits.head_seconds)
            return
        self._wait(
            *(("body", self._limits.body_seconds) if self._state is BODY else ("head", self._limits.head_seconds))
        )
        if self._sizes.too_long(len(data)):
            self._refuse("long head", _too_long())

    def eof_received(self) -> None:
        """A request that will never be whole is refused, where uvicorn would only close."""
        if not self._deaf and self._state in (HEAD, BODY):
            self._refuse("cut off", Problem(400, f"the request ended within its {self._state}"))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._state = HEAD
        self._sizes = _Sizes(begun=True)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers are counted and dropped, since they may not become headers (RFC 9110, 6.5.1)."""
        self._sizes.head += len(name) + len(value) + 4
        if self._sizes.head > HEAD_BYTES:
            raise _too_long()
        if self._state is HEAD:
            super().on_header(name, value)

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._sizes.head += len(url)
        super().on_url(url)

    def on_headers_complete(self) -> None:
        """The head is whole: the application is called."""
        if self._sizes.head > HEAD_BYTES:
            raise _too_long()
        super().on_headers_complete()
        self._state = BODY

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._sizes.body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._state = WHOLE
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """Called while the parser's error is being handled."""
        error = sys.exc_info()[1]
        cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
        if isinstance(cause, Problem):
            self._refuse("long head", cause)
        else:
            self._refuse("malformed", Problem(400, f"this is no HTTP/1.1 request: {error or msg}"))

    def pause_writing(self) -> None:
        """The client does not read as fast as we write: it gets some time."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._limits.write_seconds, self._give_up)

    def resume_writing(self) -> None:
        """It caught up."""
        self._stop_write_timer()
        super().resume_writing()

    def _give_up(self) -> None:
        REFUSED.labels("slow reader").inc()
        self.transport.abort()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _wait(self, what: str | None, seconds: float = 0.0) -> None:
        """Wait for a head or a body; the clock of a wait that is on already is not set again."""
        if self._timer is not None:
            if self._timer[0] == what:
                return
            self._timer[1].cancel()
        self._timer = (what, self.loop.call_later(seconds, self._too_slow)) if what else None

    def _too_slow(self) -> None:
        self._timer = None
        if self._state in (HEAD, BODY):
            self._refuse(
                f"slow {self._state}", Problem(408, f"the {self._state} of the request did not arrive in time")
            )
        else:
            self.transport.close()

    def _refuse(self, reason: str, problem: Problem) -> None:
        """Answer with the problem and close; where an earlier request is being answered, close after its answer instead."""
        self._deaf = True
        self._wait(None)
        REFUSED.labels(reason).inc()
        running = self._running
        if self.transport.is_closing():
            return
        if self._state is BODY and self.cycle.response_complete:
            self.transport.close()  # answered already, whatever would still have come
        elif (
            running is not None
            and not running.response_complete
            and (self._state is not BODY or running is not self.cycle)
        ):
            running.keep_alive = False
            self.pipeline.clear()
        elif (
            running is not None and running is self.cycle and running.response_started and not running.response_complete
        ):
            self.transport.abort()
        else:
            self.transport.write(_written(problem))
            self.transport.close()


@dataclass
class _Sizes:
    """Of the request that is being read, in bytes."""

    begun: bool = False
    """It began in the data that is being parsed."""
    head: int = 0
    body: int = 0
    raw: int = 0

    def too_long(self, count: int) -> bool:
        """Whether what the parser gathers cannot be within limits, after `count` more bytes that did not complete the request."""
        # Where in the data a request begins is not known. A chunk of one byte takes five more.
        self.raw += 0 if self.begun else count
        return self.raw > 2 * HEAD_BYTES + 8 * self.body if self.body else self.raw > HEAD_BYTES


_SOON = {"Retry-After": "5"}


def _too_long() -> Problem:
    return Problem(431, f"the head of the request is longer than {HEAD_BYTES} bytes")


def _written(problem: Problem) -> bytes:
    response = answer(problem)
    headers = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
    return b"%b%bconnection: close\r\n\r\n%b" % (STATUS_LINE[problem.status], headers, bytes(response.body))


def _bound(sock: Any, write_seconds: float) -> None:
    """Limit what the kernel keeps for this client, and for how long it keeps trying."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(write_seconds * 1000))
