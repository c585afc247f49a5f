"""The API's way to the engine pool: a line of JSON over TCP, and the answer as another one (see processes/control.py).

What was sent on a connection that breaks before the answer is unknown. Nothing waits to be sent later, so nothing is executed later than
its caller believes.
"""

import socket
from collections.abc import Mapping
from typing import Any

from chassis.errors import Transient
from trading.adapters.door_connections import WAIT_SECONDS, Connections
from trading.ports import PASSING, NoAnswer, NotHandedOver, NotTaken


class DoorClient:
    """Asks one engine pool, in one event loop."""

    def __init__(self, host: str, port: int, *, answer_seconds: float) -> None:
        self._host, self._port = host, port
        self._connections = Connections(host, port, answer_seconds=answer_seconds)

    async def ask(self, token: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """See ports.Door."""
        answer = await self._connections.exchange({"token": token, **request})
        reason = answer.get("error")
        if reason is None:
            return answer
        if answer.get("unknown"):
            raise NoAnswer(reason)
        raise NotHandedOver(reason) if reason.startswith(PASSING) else NotTaken(reason)

    def ping(self) -> None:
        """See ports.Door."""
        try:
            socket.create_connection((self._host, self._port), WAIT_SECONDS).close()
        except OSError as error:
            raise Transient(f"the engine pool is away: {error}") from error

    def close(self) -> None:
        """See ports.Door."""
        self._connections.close()
