"""What a client did and was told, and what a drill broke, one JSON line an event: the side of the evidence no worker writes.

The intent is written before a request is sent, the acceptance after its answer came; so a client that dies leaves at most an intent
without an answer, and the same key asks again. Appends of one line are whole (POSIX O_APPEND); no fsync, the machine is not the test.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


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
class Restored:
    """The database was brought back to the time `to`, unix seconds like `at`, when it answered again: it has forgotten what was between."""

    at: float
    to: float


FAULTS: tuple[type, ...] = (Kill, Restored)
"""The kinds of lines that tell what was broken; what clients did and were told is a capstone's own."""


class Journal:
    """One file, appended to by any number of threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def write(self, line: "DataclassInstance") -> None:
        """Append one line, a dataclass of JSON values."""
        text = json.dumps({"line": name_of(type(line)), **asdict(line)}) + "\n"
        with self._lock:
            self._file.write(text)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def append(path: Path, line: "DataclassInstance") -> None:
    """Add one line to a journal that nobody keeps open."""
    journal = Journal(path)
    journal.write(line)
    journal.close()


EFFECT_BEFORE_RECORD = timedelta(minutes=10)
"""How long an effect may precede its record in the database, clocks that differ included: a task's time limit is a fraction of it."""


def since_of(to: datetime) -> datetime:
    """From when on the outside may know more than a database of that time."""
    return to - EFFECT_BEFORE_RECORD


def name_of(kind: type) -> str:
    """What a kind of line is called in a journal."""
    return kind.__name__.lower()


def read(paths: Iterable[Path], kinds: Iterable[type]) -> list[Any]:
    """The journals' lines of these kinds, each made a dataclass again; a last line that was cut short is left out."""
    known = {name_of(kind): kind for kind in kinds}
    return [line for path in paths for line in _lines(path, known)]


def _lines(path: Path, known: Mapping[str, type]) -> Iterator[Any]:
    for text in path.read_text().splitlines():
        try:
            values: dict[str, Any] = json.loads(text)
        except ValueError:
            continue
        kind = known.get(values.pop("line"))
        if kind is not None:
            yield kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def now() -> float:
    """Unix seconds, the clock of every ledger here."""
    return time.time()
