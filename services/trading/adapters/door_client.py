"""The API's way to the engine pool: a line of JSON over TCP, and the answer as another one (see processes/control.py).

One connection a request: what was sent on a connection that breaks is unknown, and nothing that waits can be executed later than its caller
believes.
"""

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

from chassis.errors import Transient
from trading.ports import NoAnswer, NotHandedOver, NotTaken

CONNECT_SECONDS = 1.0
ANSWER_BYTES = 4 << 20
PASSING = ("BUSY", "DRAINING")
"""How reasons begin that will pass."""


class DoorClient:
    """Asks one engine pool."""

    def __init__(self, host: str, port: int, *, answer_seconds: float) -> None:
        self._host, self._port, self._answer_seconds = host, port, answer_seconds

    async def ask(self, token: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """See ports.Door."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=ANSWER_BYTES)
        except OSError as error:
            raise NotHandedOver(f"the engine pool is away: {error or type(error).__name__}") from error
        try:
            return await self._answered(reader, writer, {"token": token, **request})
        finally:
            writer.close()

    async def _answered(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._answer_seconds):
                writer.write(json.dumps(request).encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
            answer: dict[str, Any] = json.loads(line)
        except (OSError, ValueError) as error:
            raise NoAnswer(f"the engine pool did not answer: {error or type(error).__name__}") from error
        reason = answer.get("error")
        if reason is None:
            return answer
        if answer.get("unknown"):
            raise NoAnswer(reason)
        raise NotHandedOver(reason) if reason.startswith(PASSING) else NotTaken(reason)

    def ping(self) -> None:
        """See ports.Door."""
        try:
            socket.create_connection((self._host, self._port), CONNECT_SECONDS).close()
        except OSError as error:
            raise Transient(f"the engine pool is away: {error}") from error
