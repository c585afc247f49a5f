"""WebSockets (RFC 6455) with the limits that uvicorn has no setting for: on time for clients that do not read.

| a client that | is closed with |
|---|---|
| does not read what is sent to it for `write_seconds` | 4008, and aborted |
| does not answer a ping in time (`chassis.http.server`) | 1011 |
| sends a message that is too long (`chassis.http.server`) | 1009 |

An application that sends waits while its client does not read, and nobody else waits with it. When the client was dropped, the application
is told what it is told when a client left. The connection itself was accepted by `chassis.http.protocol`, whose limits on buffers hold on.
"""

import asyncio
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from chassis.http.protocol import REFUSED

SLOW_READER = 4008
"""Close code: of the range that RFC 6455 leaves to applications."""


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's protocol for one WebSocket, which drops a client that does not read."""

    def __init__(self, *args: Any, write_seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._write_seconds = write_seconds
        self._write_timer: asyncio.TimerHandle | None = None
        self._dropped = False

    async def send(self, message: Any) -> None:
        """Send an application's message. Raises ClientDisconnected when the client is gone, or was dropped."""
        await self.writable.wait()
        # For uvicorn this is a message after the application's own close, which is an error of the application.
        if self._dropped:
            raise ClientDisconnected
        await super().send(message)

    def keepalive_timeout(self) -> None:
        """The client answered no ping."""
        super().keepalive_timeout()
        self._dropped = True

    def pause_writing(self) -> None:
        """The client does not read as fast as we write: it gets some time."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._write_seconds, self._drop)

    def resume_writing(self) -> None:
        """It caught up."""
        self._stop_write_timer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_write_timer()
        super().connection_lost(exc)

    def _drop(self) -> None:
        """Say why behind what waits already; whoever reads on within a moment gets to know."""
        self._dropped = True
        REFUSED.labels("slow websocket").inc()
        self.conn.fail(SLOW_READER, f"too slow: nothing was read for {self._write_seconds:g} s")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
        self._write_timer = self.loop.call_later(self._write_seconds, self.transport.abort)

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
