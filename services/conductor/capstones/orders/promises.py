"""What customers of the orders did and were told: the lines of a history that only this capstone has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from conductor import history
from conductor.history import FAULTS, Kill, Restored


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that a client decided to place: its key, who buys, and pieces by SKU."""

    at: float
    key: str
    customer: str
    pieces: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the API promised; `tries` is how many requests it took."""

    at: float
    key: str
    order_id: str
    total_minor: int
    tries: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The API refused for good, or the client gave up asking (`status` None): the order was never promised."""

    at: float
    key: str
    status: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The API took the wish to cancel: the client does not want that order any more."""

    at: float
    key: str


@dataclass(frozen=True, slots=True)
class Told:
    """All that journals tell: intents, acceptances and refusals by key, kills in order, restores, keys of orders that were cancelled."""

    intents: Mapping[str, Intent]
    accepted: Mapping[str, Accepted]
    refused: Mapping[str, Refused]
    kills: tuple[Kill, ...]
    restores: tuple[Restored, ...] = ()
    cancelled: frozenset[str] = frozenset()


def read(paths: Iterable[Path]) -> Told:
    """The journals' lines put together."""
    lines = history.read(paths, (Intent, Accepted, Refused, Cancelled, *FAULTS))
    return Told(
        intents={line.key: line for line in lines if isinstance(line, Intent)},
        accepted={line.key: line for line in lines if isinstance(line, Accepted)},
        refused={line.key: line for line in lines if isinstance(line, Refused)},
        kills=tuple(sorted((line for line in lines if isinstance(line, Kill)), key=lambda kill: kill.at)),
        restores=tuple(line for line in lines if isinstance(line, Restored)),
        cancelled=frozenset(line.key for line in lines if isinstance(line, Cancelled)),
    )
