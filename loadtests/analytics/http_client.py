"""A client of the edge that costs little CPU: it writes whole requests to open connections and reads the answers.

A request that is answered 503, or not at all, is sent again with its own key, as a client must.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from loadtests.analytics.servers import TOKEN

RETRY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Answered:
    """A request whose events are safe: when it was sent first and when it was answered (time.monotonic)."""

    sent: float
    answered: float
    events: int
    repeats: int


class Refused(Exception):
    """The edge answered something else than 200 and 503."""


async def send(
    port: int, bodies: Iterable[tuple[str, bytes, int]], *, connections: int, per_second: float | None = None
) -> list[Answered]:
    """Send all bodies, given as (key, body, events); in order, as far as more than one connection allows. Raises Refused.

    `per_second` requests begin each second, whether or not earlier ones are answered, as long as a connection is free; without it each
    connection sends as soon as it can.
    """
    done: list[Answered] = []
    paced = _paced(bodies, per_second)

    async def client() -> None:
        connection = Connection(port)
        try:
            # One generator for all: it gives each body to one client.
            while (body := await _next(paced)) is not None:
                done.append(await connection.post(*body))
        finally:
            connection.close()

    lock = asyncio.Lock()

    async def _next(source: AsyncIterator[tuple[str, bytes, int]]) -> tuple[str, bytes, int] | None:
        async with lock:
            return await anext(source, None)

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(client())
    return done


async def _paced(
    bodies: Iterable[tuple[str, bytes, int]], per_second: float | None
) -> AsyncIterator[tuple[str, bytes, int]]:
    began = time.monotonic()
    for number, body in enumerate(bodies):
        if per_second is not None:
            early = began + number / per_second - time.monotonic()
            if early > 0:
                await asyncio.sleep(early)
        yield body


class Connection:
    """One open connection, made when it is first used and again after it was lost. For one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, key: str, body: bytes, events: int) -> Answered:
        """Send events until they are safe. Raises Refused."""
        head = (
            f"POST /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nIdempotency-Key: {key}\r\n"
            f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        sent = time.monotonic()
        repeats = 0
        while True:
            status, _ = await self._exchange(head, body)
            if status == 200:
                return Answered(sent, time.monotonic(), events, repeats)
            if status not in (0, 503):
                raise Refused(f"the edge answered {status}")
            repeats += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def get(self, path: str, token: str) -> tuple[int, bytes]:
        """Status and body of the answer; 0 and nothing when the connection was lost."""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        return await self._exchange(head.encode(), b"")

    async def _exchange(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; 0 and nothing when the connection was lost."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(head + body if len(body) < 10_000 else head)
            if len(body) >= 10_000:
                writer.write(body)
            await writer.drain()
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
            told = await reader.readexactly(length)
            if b"connection: close" in answer:
                self.close()
            return int(answer[9:12]), told
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0, b""

    def close(self) -> None:
        """Close it, if it is open."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
