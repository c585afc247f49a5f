"""What the use cases of the API need from outside."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

PASSING = ("BUSY", "DRAINING")
"""How reasons begin for which the engine's gateway refuses what it may take later."""


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

    def close(self) -> None:
        """Let go of what is kept for the next request."""


class Views(Protocol):
    """What people see of what follows from the journal and the market. Every method blocks, and raises Transient."""

    def positions(self, accounts: Sequence[int] | None) -> list[dict[str, int]]:
        """Positions with cost, profit and loss and value in minor units, by account and symbol; of all accounts with None."""

    def applied(self) -> list[dict[str, int]]:
        """By shard: the sequence number up to which the journal is in the positions, and the engine's time there."""

    def last_price(self, symbol: int) -> dict[str, int] | None:
        """What the market's feed said last of a symbol, in ticks; None when it said nothing."""

    def candles(self, symbol: int, span_us: int, limit: int) -> list[dict[str, int]]:
        """The last candles of a symbol, oldest first, in ticks and lots."""

    def latency(self, limit: int) -> list[dict[str, Any]]:
        """The last measures of the engines' latency, the newest first."""
