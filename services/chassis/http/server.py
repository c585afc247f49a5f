"""The service's API under uvicorn, with an end that does not wait for open event streams.

A stream of server-sent events never ends by itself, and uvicorn waits for it for as long as it may. So SIGTERM first sets
`app.state.draining`, an `asyncio.Event` that every stream watches. For `LINGER_SECONDS` it goes on answering whoever still comes, and
lets each client go with its answer; then it stops, and what is still open after `DRAIN_SECONDS` is cut off.

With `SHARE_PORT` a new process may listen beside the old one on the same port, so a roll on one machine leaves no gap; each then
says by its own heartbeat that it serves. With `LISTEN_FD` both accept from one socket, which whoever started them holds: no connection
is reset because it waited in the queue of the one that ended.
"""

import asyncio
import contextlib
import resource
import signal
import socket
import sys
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from chassis import health, heartbeat
from chassis.heartbeat import Heartbeat
from chassis.http.protocol import BoundedProtocol, ConnectionLimits
from chassis.settings import ServiceSettings

PING_SECONDS = 5.0
"""A WebSocket is asked so often for a sign of life, and closed with 1011 when none came in as long."""

MESSAGE_BYTES = 4096
"""Longest message of a WebSocket's client: it subscribes and says who it is, and sends no data. A longer one is closed with 1009."""

KEEP_ALIVE_SECONDS = 5
"""How long a connection is kept for the client's next request."""

FIRST_REQUEST_SECONDS = 1.0
"""How long a server that stops waits for the first request of a connection that it accepted. Closed before, its client would be reset."""

OTHER_FILES = 500
"""Files of a process that are not connections of its clients: libraries, connections to the database, logs."""

_CUT_OFF = (
    b'{"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "this server ended: ask again"}'
)


class LetGo:
    """Ends every connection with its answer once the server is leaving (ASGI), so that its client comes to another server next.

    A connection that is kept would be closed when the server stops, and a request that was on its way on it would get no answer. A request
    that is cut off before it began to be answered is told to come again, where uvicorn would say that the server is broken.
    """

    def __init__(self, app: Any, draining: asyncio.Event) -> None:
        self._app = app
        self._draining = draining

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on, and say so."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = False

        async def told(message: Any) -> None:
            nonlocal answered
            answered = True
            if message["type"] == "http.response.start" and self._draining.is_set():
                kept = [header for header in message.get("headers", ()) if header[0].lower() != b"connection"]
                message = {**message, "headers": [*kept, (b"connection", b"close")]}
            await send(message)

        try:
            await self._app(scope, receive, told)
        except asyncio.CancelledError:
            if answered:
                raise
            headers = [(b"content-type", b"application/problem+json"), (b"retry-after", b"1")]
            await told({"type": "http.response.start", "status": 503, "headers": headers})
            await told({"type": "http.response.body", "body": _CUT_OFF})


class Server(uvicorn.Server):
    """uvicorn that tells the app before it stops, and ends with exit code 0 when it was asked to."""

    def __init__(
        self, config: uvicorn.Config, draining: asyncio.Event, beats: Heartbeat, linger_seconds: float = 0.0
    ) -> None:
        super().__init__(config)
        self._draining = draining
        self._beats = beats
        self._linger_seconds = linger_seconds
        self._leaving = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: Any = None) -> None:
        """Remember the loop, for the signal handler."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        """One turn of the server's own loop, ten times a second."""
        self._beats.show(heartbeat.DRAINING if self._leaving else heartbeat.IDLE)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: Any = None) -> None:
        """Accept nothing more, hear whoever was accepted a moment ago, then end as uvicorn does."""
        for listening in (*self.servers, *(sockets or [])):
            listening.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_REQUEST_SECONDS):
                # No event tells of a first request: uvicorn's protocol starts the app by itself.
                while any(getattr(each, "cycle", each) is None for each in self.server_state.connections):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Tell the streams, answer a while longer, then stop; a second signal stops at once, and SIGINT then does not wait."""
        again, self._leaving = self._leaving, True
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        if self._loop is None:
            self.should_exit = True
            return
        self._loop.call_soon_threadsafe(self._draining.set)
        if again or not self._linger_seconds:
            self._stop()
        else:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._linger_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def serve(app: Any, settings: ServiceSettings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code: 0, or 1 when the app or its port did not come up."""
    app.state.draining = asyncio.Event()
    beats = Heartbeat(settings.heartbeat_file, "api")
    beats.show(heartbeat.STARTING)
    config = uvicorn.Config(
        LetGo(app, app.state.draining),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        http=cast("type[asyncio.Protocol]", partial(BoundedProtocol, limits=_limits(settings))),
        ws=_websockets(app, settings),
        ws_max_size=MESSAGE_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        # A window of memory for each connection, and CPU for each message.
        ws_per_message_deflate=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )
    _allow_files(settings.http_connections_limit + OTHER_FILES)
    server = Server(config, app.state.draining, beats, settings.linger_seconds)
    try:
        server.run(sockets=[_listening(settings)])
    except OSError as error:
        where = f"{settings.host}:{settings.port}" if settings.listen_fd is None else f"LISTEN_FD {settings.listen_fd}"
        sys.stderr.write(f"cannot listen on {where}: {error}\n")
        return 1
    except SystemExit:  # uvicorn's way to say that the port is taken
        return 1
    return 0 if server.started else 1


def _websockets(app: Any, settings: ServiceSettings) -> Any:
    """What speaks the protocol; "none" for an app that does not say `state.websockets`, whose service need not have it installed."""
    if not getattr(app.state, "websockets", False):
        return "none"
    from chassis.http.websocket_protocol import BoundedWebSocket

    return partial(BoundedWebSocket, write_seconds=settings.response_write_seconds)


def _limits(settings: ServiceSettings) -> ConnectionLimits:
    return ConnectionLimits(
        settings.http_connections_limit,
        settings.request_head_seconds,
        settings.request_body_seconds,
        settings.response_write_seconds,
    )


def _allow_files(count: int) -> None:
    """Let this process open so many files, as far as it may: shells and images begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        least = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, least), hard))


def _listening(settings: ServiceSettings) -> socket.socket:
    """A listening socket, which another process may open as well where the port is shared; on `::` it takes IPv4 too.

    Raises OSError when somebody has the port who does not share it, or when LISTEN_FD is no socket. uvicorn's own would take IPv6 only.
    """
    if settings.listen_fd is not None:
        return socket.socket(fileno=settings.listen_fd)
    listening = socket.socket(health.family(settings.host))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.share_port:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if listening.family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listening.bind((settings.host, settings.port))
    return listening
