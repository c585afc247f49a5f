"""Many TCP connections over one pair of pipes: from listening sockets at one end to servers at the other.

`python -I -S -c SOURCE PORT …` is the end that listens, in a pod; its standard input and output are the pipes, and it ends when they do.
The other end is in the grader, and connects to servers on 127.0.0.1. Standard library alone.

A frame is a kind, the number of a connection, and a length, followed by so many bytes. The listening end numbers the connections.
"""

import asyncio
import contextlib
import functools
import itertools
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

OPEN, DATA, END, CLOSE = range(4)
"""Connect to the port that follows, and answered: connected; bytes; one side says no more; the connection is gone."""

HEAD = struct.Struct("!BIH")
CHUNK = 32 * 1024
MOST_WAITING = 4 * 1024 * 1024
"""Bytes that wait for a reader who stands still; with more the connection is cut, because the others share the pipe."""

READY = b"ready\n"


@dataclass
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    ends: int = 0
    """How many of its two sides say no more."""


class Tunnel:
    """One end. `servers` leads from a port that the other end listens on to one of this machine."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, servers: Mapping[int, int] | None = None
    ) -> None:
        self._reader, self._writer = reader, writer
        self._servers = servers or {}
        self._numbers = itertools.count(1)
        self._connections: dict[int, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def accepted(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry on a connection that was made to a listening port."""
        number, made = next(self._numbers), _Connection(reader, writer)
        self._connections[number] = made
        await self._send(OPEN, number, port.to_bytes(2, "big"))
        await made.connected.wait()
        await self._pump(number, made)

    async def run(self) -> None:
        """Carry on everything until the pipe ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                kind, number, size = HEAD.unpack(await self._reader.readexactly(HEAD.size))
                self._take(kind, number, await self._reader.readexactly(size))
        for number in list(self._connections):
            self._drop(number)
        self._writer.close()

    def _take(self, kind: int, number: int, data: bytes) -> None:
        made = self._connections.get(number)
        if kind == OPEN and data:
            task = asyncio.create_task(self._connect(number, int.from_bytes(data, "big")))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif made is None:
            return
        elif kind == OPEN:
            made.connected.set()
        elif kind == DATA:
            made.writer.write(data)
            if made.writer.transport.get_write_buffer_size() > MOST_WAITING:
                made.writer.transport.abort()
                self._cut(number)
        elif kind == END:
            with contextlib.suppress(OSError):
                made.writer.write_eof()
            self._ended(number, made)
        else:
            self._drop(number)

    async def _connect(self, number: int, port: int) -> None:
        try:
            made = _Connection(*await asyncio.open_connection("127.0.0.1", self._servers[port]))
        except (OSError, KeyError):
            await self._send(CLOSE, number)
            return
        self._connections[number] = made
        await self._send(OPEN, number)
        await self._pump(number, made)

    async def _pump(self, number: int, made: _Connection) -> None:
        """Send what a connection says to the other end."""
        try:
            while data := await made.reader.read(CHUNK):
                await self._send(DATA, number, data)
            await self._send(END, number)
            self._ended(number, made)
        except OSError:
            self._cut(number)

    async def _send(self, kind: int, number: int, data: bytes = b"") -> None:
        self._say(kind, number, data)
        await self._writer.drain()

    def _say(self, kind: int, number: int, data: bytes = b"") -> None:
        """Without waiting for room in the pipe: who reads from it must not wait to write into it."""
        if number in self._connections or kind == CLOSE:
            self._writer.write(HEAD.pack(kind, number, len(data)) + data)

    def _cut(self, number: int) -> None:
        """End a connection at both ends, whatever is still to be said."""
        if number in self._connections:
            self._drop(number)
            self._say(CLOSE, number)

    def _ended(self, number: int, made: _Connection) -> None:
        made.ends += 1
        if made.ends == 2:
            self._drop(number)

    def _drop(self, number: int) -> None:
        made = self._connections.pop(number, None)
        if made is not None:
            made.connected.set()
            made.writer.close()


async def piped(incoming: IO[bytes], outgoing: IO[bytes]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Two pipes as streams of the running loop."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), incoming)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, outgoing)
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


async def listen(ports: list[int]) -> None:
    """The end in the pod, until its input ends."""
    reader, writer = await piped(sys.stdin.buffer, sys.stdout.buffer)
    tunnel = Tunnel(reader, writer)
    for port in ports:
        await asyncio.start_server(functools.partial(tunnel.accepted, port), None, port)
    writer.write(READY)
    await tunnel.run()


if __name__ == "__main__":
    asyncio.run(listen([int(port) for port in sys.argv[1:]]))
