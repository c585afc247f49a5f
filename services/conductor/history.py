"""What a client did and was told, and what a drill broke, one JSON line an event: the side of the evidence no worker writes.

The intent is written before a request is sent, the acceptance after its answer came; so a client that dies leaves at most an intent
without an answer, and the same key asks again. Appends of one line are whole (POSIX O_APPEND); no fsync, the machine is not the test.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


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
class Kill:
    """What was killed, at unix seconds: a process of a pool with its children (`tree`), its first process, one `child`, or a `server`.

    `moment` is where the effects of what it was running stood (before, during, after); `commands` are their keys; `open_orders` at
    that time; `until` is when a server answered again.
    """

    at: float
    pool: str
    which: str
    pids: tuple[int, ...]
    moment: str | None = None
    commands: tuple[str, ...] = ()
    open_orders: int | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The API took the wish to cancel: the client does not want that order any more."""

    at: float
    key: str


@dataclass(frozen=True, slots=True)
class Restored:
    """The database was brought back to the time `to`, unix seconds like `at`, when it answered again: it has forgotten what was between."""

    at: float
    to: float


Line = Intent | Accepted | Refused | Kill | Cancelled | Restored
_KINDS: dict[str, Callable[..., Line]] = {
    "intent": Intent,
    "accepted": Accepted,
    "refused": Refused,
    "kill": Kill,
    "cancelled": Cancelled,
    "restored": Restored,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class Journal:
    """One file, appended to by any number of threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def write(self, line: Line) -> None:
        """Append one line."""
        text = json.dumps({"line": _NAMES[type(line)], **asdict(line)}) + "\n"
        with self._lock:
            self._file.write(text)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def append(path: Path, line: Line) -> None:
    """Add one line to a journal that nobody keeps open."""
    journal = Journal(path)
    journal.write(line)
    journal.close()


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
    """The journals' lines put together; a last line that was cut short is left out."""
    lines = [line for path in paths for line in _lines(path)]
    return Told(
        intents={line.key: line for line in lines if isinstance(line, Intent)},
        accepted={line.key: line for line in lines if isinstance(line, Accepted)},
        refused={line.key: line for line in lines if isinstance(line, Refused)},
        kills=tuple(sorted((line for line in lines if isinstance(line, Kill)), key=lambda kill: kill.at)),
        restores=tuple(line for line in lines if isinstance(line, Restored)),
        cancelled=frozenset(line.key for line in lines if isinstance(line, Cancelled)),
    )


def _lines(path: Path) -> Iterator[Line]:
    for text in path.read_text().splitlines():
        try:
            values: dict[str, Any] = json.loads(text)
        except ValueError:
            continue
        kind = _KINDS[values.pop("line")]
        yield kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def now() -> float:
    """Unix seconds, the clock of every ledger here."""
    return time.time()
