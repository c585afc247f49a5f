"""Connections to the door of the engine pool that are kept for the next request. Each carries one request at a time.

A connection may have ended while nobody used it: the gateway was replaced, or its node is gone. No request is lost to that, because a kept
connection is looked at before anything is sent on it. An end that this machine was told of is seen at once. A connection that was unused
for PROBE_SECONDS has to answer a ping. A request is sent once. Only when a connection took no whole line of it, another one is tried: the
door reads whole lines.
"""

import asyncio
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

from trading.ports import NoAnswer, NotHandedOver

MOST, QUESTIONS = 32, 24
"""Connections of a process, and how many of them questions may use at a time: who looks at books keeps no order out, and no kill switch.
The door takes 256.
"""
WAIT_SECONDS = 1.0
"""For a connection to be free or to be made, and for the answer to a ping."""
PROBE_SECONDS = 0.01
"""A peer that is cut off or without power sends no end. It is noticed by a ping, so such a peer may have been gone for so long at most."""
IDLE_SECONDS = 10.0
"""A connection without a request for so long is closed: before the gateway would close it, see processes/control.py."""
RECEIVE_BYTES = 65536
ANSWER_BYTES = 4 << 20


class Connections:
    """All connections of a process, for one event loop. The one that was used last is used next."""

    def __init__(self, host: str, port: int, *, answer_seconds: float) -> None:
        self._host, self._port, self._answer_seconds = host, port, answer_seconds
        self._places, self._questions = asyncio.Semaphore(MOST), asyncio.Semaphore(QUESTIONS)
        self._kept: list[_Connection] = []
        self._timer: asyncio.TimerHandle | None = None

    async def exchange(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request that has its caller's token. Raises NotHandedOver or NoAnswer."""
        if "input" in request:
            return await self._placed(request)
        await _taken(self._questions, f"{QUESTIONS} questions")
        try:
            return await self._placed(request)
        finally:
            self._questions.release()

    def close(self) -> None:
        """Close what is kept."""
        while self._kept:
            self._kept.pop().close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _placed(self, request: Mapping[str, Any]) -> dict[str, Any]:
        await _taken(self._places, f"{MOST} requests")
        try:
            return await self._exchanged(request)
        finally:
            self._places.release()

    async def _exchanged(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            connection = await self._sent(request)
        except OSError as error:
            raise NotHandedOver(f"the engine pool is away: {str(error) or type(error).__name__}") from error
        try:
            async with asyncio.timeout(self._answer_seconds):
                answer = await connection.answer()
        except (OSError, ValueError) as error:
            connection.close()
            raise NoAnswer(f"the engine pool did not answer: {str(error) or type(error).__name__}") from error
        except BaseException:
            # The answer is still to come, and would be taken for that of the next request.
            connection.close()
            raise
        if answer.get("closing"):
            connection.close()
        else:
            self._keep(connection)
        return answer

    async def _sent(self, request: Mapping[str, Any]) -> "_Connection":
        """The connection on which the request was sent. Raises OSError when it was sent on none."""
        line = json.dumps(request).encode() + b"\n"
        while self._kept:
            connection = self._kept.pop()
            if await self._is_there(connection, request["token"]) and connection.send(line):
                return connection
            connection.close()
        async with asyncio.timeout(WAIT_SECONDS):
            connection = _Connection(await _connected(self._host, self._port))
        if not connection.send(line):
            connection.close()
            raise ConnectionResetError("it closed the connection")
        return connection

    async def _is_there(self, connection: "_Connection", token: str) -> bool:
        if not connection.quiet():
            return False
        if time.monotonic() - connection.used < PROBE_SECONDS:
            return True
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                ping = json.dumps({"token": token, "ping": True}).encode() + b"\n"
                return connection.send(ping) and await connection.answer() == {}
        except TimeoutError:
            # Whoever is silent here is silent on all of them.
            self.close()
            return False
        except (OSError, ValueError):
            return False
        except BaseException:
            connection.close()
            raise

    def _keep(self, connection: "_Connection") -> None:
        connection.used = time.monotonic()
        self._kept.append(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._close_unused)

    def _close_unused(self) -> None:
        # The first of the list was not used for the longest time.
        end = time.monotonic() - IDLE_SECONDS
        while self._kept and self._kept[0].used <= end:
            self._kept.pop(0).close()
        self._timer = None
        if self._kept:
            seconds = self._kept[0].used - end
            self._timer = asyncio.get_running_loop().call_later(seconds, self._close_unused)


async def _taken(places: asyncio.Semaphore, all_of_them: str) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await places.acquire()
    except TimeoutError:
        raise NotHandedOver(f"BUSY: {all_of_them} to the engine pool are under way") from None


class _Connection:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._beyond = b""
        self.used = time.monotonic()

    def quiet(self) -> bool:
        """Whether it is open as far as this machine was told, and nothing came that nobody asked for."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return not self._beyond
        except OSError:
            return False
        return False

    def send(self, line: bytes) -> bool:
        """Send a line; False when it was not sent whole."""
        try:
            return self._socket.send(line) == len(line)
        except OSError:
            return False

    async def answer(self) -> dict[str, Any]:
        """The next answer. Raises OSError when the connection ended before, ValueError when it is none, or too long."""
        receive, answer = asyncio.get_running_loop().sock_recv, b""
        while b"\n" not in answer:
            data = await receive(self._socket, RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError("it closed the connection")
            answer += data
            if len(answer) > ANSWER_BYTES:
                raise ValueError(f"the answer has more than {ANSWER_BYTES} bytes")
        line, _, self._beyond = answer.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self._socket.close()


async def _connected(host: str, port: int) -> socket.socket:
    """A connected socket. Raises OSError."""
    loop = asyncio.get_running_loop()
    failed: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failed = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failed or OSError(f"{host} has no address")
