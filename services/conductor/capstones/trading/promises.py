"""What clients of the trading service did and were told: the lines of a history that only this capstone has."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from conductor import history
from conductor.history import Kill


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that a client decided to send. `session` and `client_id` name it for ever."""

    at: float
    scope: str
    session: int
    client_id: int
    account: int
    symbol: str
    side: int
    """1 buys, 2 sells."""
    price: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The venue took the order: by its acknowledgement (`order_id`), or by what it said when it was asked (`order_id` 0)."""

    at: float
    session: int
    client_id: int
    order_id: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue refused the order."""

    at: float
    session: int
    client_id: int
    why: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A report of an execution: lots, and the ExecID, which names one side of one trade."""

    at: float
    session: int
    client_id: int
    exec_id: str
    quantity: int


REFUSED_BEFORE = "refused before"
"""Why, of an order that is told to be refused when it is asked for later."""

Key = tuple[int, int]
"""Session and client id."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that journals tell, by session and client id."""

    intents: Mapping[Key, Intent]
    acknowledged: Mapping[Key, Acknowledged]
    refused: Mapping[Key, Refused]
    fills: Mapping[Key, Mapping[str, int]]
    """Lots by ExecID: a report that came twice counts once."""
    kills: tuple[Kill, ...]


def key(session: int, client_id: int) -> str:
    """An order's name in a verdict."""
    return f"{session}:{client_id}"


def read(paths: Iterable[Path]) -> Told:
    """The journals' lines put together."""
    lines = history.read(paths, (Intent, Acknowledged, Refused, Filled, Kill))
    fills: dict[Key, dict[str, int]] = defaultdict(dict)
    for line in lines:
        if isinstance(line, Filled):
            fills[line.session, line.client_id][line.exec_id] = line.quantity
    return Told(
        intents={(line.session, line.client_id): line for line in lines if isinstance(line, Intent)},
        acknowledged={(line.session, line.client_id): line for line in lines if isinstance(line, Acknowledged)},
        refused={(line.session, line.client_id): line for line in lines if isinstance(line, Refused)},
        fills=fills,
        kills=tuple(sorted((line for line in lines if isinstance(line, Kill)), key=lambda kill: kill.at)),
    )
