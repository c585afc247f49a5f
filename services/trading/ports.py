"""What the use cases of the API need from outside."""

from collections.abc import Mapping
from typing import Any, Protocol


class DoorError(Exception):
    """The engine pool did not do what was asked.

    DoorError
    ├── NotHandedOver   nothing reached the engine: the pool is away, ends, or is behind; may be sent again
    ├── NoAnswer        it may have reached the engine: unknown until asked for by its client id
    └── NotTaken        the request itself is refused, with the reason
    """


class NotHandedOver(DoorError):
    """Nothing reached the engine."""


class NoAnswer(DoorError):
    """Nobody knows whether it reached the engine."""


class NotTaken(DoorError):
    """It is wrong, or the caller may not send it."""


class Door(Protocol):
    """The way to the engine, see processes/control.py."""

    async def ask(self, token: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request of the token's holder. Raises DoorError."""

    def ping(self) -> None:
        """Return when somebody listens there. Raises Transient."""
