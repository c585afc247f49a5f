"""POST to one URL over connections that are kept: HTTP/1.1 by h11 on asyncio streams, and nothing else.

The general clients cost 1.5 ms of CPU a request; a carrier that tells a shop about thousands of parcels at once shares the
machine with that shop. A request may arrive twice: one that fails on a kept connection is sent again on a new one.
"""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

CHUNK_BYTES = 64 * 1024


class NoAnswer(OSError):
    """The other side closed the connection, or said what is not HTTP, before its answer was complete."""


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection = field(default_factory=lambda: h11.Connection(our_role=h11.CLIENT))


class Poster:
    """Posts to `url`; as many connections as there are posts at the same time. Raises ValueError for what is no HTTP URL."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http:// or https:// URL")
        self._host = parts.hostname
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._kept: list[_Connection] = []

    async def post(self, body: bytes, headers: dict[str, str], *, seconds: float) -> int:
        """The status of the answer. Raises OSError (TimeoutError after `seconds`) when there was none."""
        async with asyncio.timeout(seconds):
            if self._kept:
                try:
                    return await self._exchange(self._kept.pop(), body, headers)
                except OSError:
                    # The other side may have closed it while it was not used; only a new connection tells.
                    pass
            reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls or None)
            return await self._exchange(_Connection(reader, writer), body, headers)

    def close(self) -> None:
        """Let go of the kept connections."""
        for connection in self._kept:
            connection.writer.close()
        self._kept.clear()

    async def _exchange(self, connection: _Connection, body: bytes, headers: dict[str, str]) -> int:
        http = connection.http
        lines = [("Host", self._authority), ("Content-Length", str(len(body))), *headers.items()]
        request = h11.Request(method="POST", target=self._target, headers=lines)
        try:
            parts = (request, h11.Data(data=body), h11.EndOfMessage())
            connection.writer.write(b"".join(http.send(part) or b"" for part in parts))
            await connection.writer.drain()
            status = await self._answer(connection)
            if http.our_state is h11.DONE and http.their_state is h11.DONE:
                http.start_next_cycle()
                self._kept.append(connection)
            else:
                connection.writer.close()
        except h11.RemoteProtocolError as error:
            connection.writer.close()
            raise NoAnswer(str(error)) from error
        except BaseException:
            connection.writer.close()
            raise
        return status

    async def _answer(self, connection: _Connection) -> int:
        status = 0
        while True:
            event = connection.http.next_event()
            if event is h11.NEED_DATA:
                connection.http.receive_data(await connection.reader.read(CHUNK_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.EndOfMessage):
                return status
            elif isinstance(event, h11.ConnectionClosed):
                raise NoAnswer("the connection was closed")
