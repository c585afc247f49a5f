"""What clients of the analytics did and were told: the lines of a history that only this capstone has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conductor import history
from conductor.capstones.analytics.events import Row, Shape, drawn
from conductor.harness.load import Answer
from conductor.history import Kill, now


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the counters that all clients share had before a load: by key and field."""

    at: float
    counters: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Intent:
    """A request that a client decided to send: its key, and its events.

    These are drawn (`seed`, `number`, `at_ms`, `shape`; see events.drawn), or given in `rows`, with None for a line that is no event.
    """

    at: float
    key: str
    scope: str
    seed: int = 0
    number: int = 0
    at_ms: int = 0
    shape: Mapping[str, Any] | None = None
    rows: tuple[Any, ...] = ()
    backfill: bool = False
    """Whether it is sent by the door of backfills, where nothing is late."""

    def events(self) -> list[Row | None]:
        """The events, in the order of the body."""
        if self.shape is not None:
            return [*drawn(self.scope, self.seed, self.number, self.at_ms, Shape(**self.shape))]
        return [None if row is None else (row[0], row[1], row[2], row[3]) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the API promised: so many events, without those at these positions; `tries` is how many requests it took."""

    at: float
    key: str
    events: int
    refused: tuple[int, ...]
    tries: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The API refused the request for good, or the client gave up asking (`status` None): then its events may be counted or not."""

    at: float
    key: str
    status: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """All that journals tell; intents, acceptances and refusals by key."""

    intents: Mapping[str, Intent]
    accepted: Mapping[str, Accepted]
    refused: Mapping[str, Refused]
    kills: tuple[Kill, ...]
    baselines: tuple[Baseline, ...] = ()


def outcome(key: str, answer: Answer) -> Accepted | Refused:
    """What is written down of a request that was answered just now, or given up."""
    if answer.told is None:
        return Refused(now(), key, answer.status, answer.why)
    refused = tuple(one["index"] for one in answer.told["refused"])
    return Accepted(now(), key, answer.told["accepted"], refused, answer.tries)


def read(paths: Iterable[Path]) -> Told:
    """The journals' lines put together."""
    lines = history.read(paths, (Baseline, Intent, Accepted, Refused, Kill))
    return Told(
        intents={line.key: line for line in lines if isinstance(line, Intent)},
        accepted={line.key: line for line in lines if isinstance(line, Accepted)},
        refused={line.key: line for line in lines if isinstance(line, Refused)},
        kills=tuple(sorted((line for line in lines if isinstance(line, Kill)), key=lambda kill: kill.at)),
        baselines=tuple(line for line in lines if isinstance(line, Baseline)),
    )
