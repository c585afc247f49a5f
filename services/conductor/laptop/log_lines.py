"""Finds what the processes' logs say of one thing: the lines that name it, or a trace of it, of all processes, by their time."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IN_EVERY_LINE = ("event", "level", "timestamp", "service", "version", "pool", "process")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log; `fields` are those of the JSON object that it is."""

    process: str
    fields: Mapping[str, Any]

    @property
    def timestamp(self) -> str:
        """As it was written: UTC, ISO 8601."""
        return str(self.fields.get("timestamp", ""))

    def __str__(self) -> str:
        """For eyes: when, which process, how bad, what, and then what not every line has."""
        level, event = (str(self.fields.get(name, "")) for name in ("level", "event"))
        return f"{self.timestamp.partition('T')[2][:12]}  {self.process:<26} {level:<8} {event}  {self._words()}"

    def _words(self) -> str:
        left_out = (*IN_EVERY_LINE, "trace_id", "span_id", "task_id")
        told = [f"{name}={value}" for name, value in self.fields.items() if name not in left_out]
        return " ".join(told).replace("\n", " ")


def about(folder: Path, identifier: str) -> list[Line]:
    """The lines about what this UUID names; also those that name its trace only, whose id is the same without dashes."""
    return naming(folder, names(identifier))


def among(lines: Iterable[tuple[str, str]], identifier: str) -> list[Line]:
    """The same out of these lines, each with the process that wrote it."""
    wanted = [name.encode() for name in names(identifier)]
    return _by_time(one for process, line in lines for one in _of(process, [line.encode()], wanted))


def naming(folder: Path, told: Collection[str]) -> list[Line]:
    """The lines in which one of these stands, oldest first; what is no JSON object is left out."""
    wanted = [name.encode() for name in told if name]
    return _by_time(line for path in sorted(folder.glob("*.log*")) for line in _of_file(path, wanted))


def names(identifier: str) -> tuple[str, str]:
    """What stands for this UUID in a log: itself, and its trace's id."""
    return identifier, identifier.replace("-", "")


def _by_time(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.timestamp)


def _of_file(path: Path, wanted: Collection[bytes]) -> Iterator[Line]:
    with path.open("rb") as file:
        yield from _of(path.name.partition(".log")[0], file, wanted)


def _of(process: str, lines: Iterable[bytes], wanted: Collection[bytes]) -> Iterator[Line]:
    for line in lines:
        if line.startswith(b"{") and any(name in line for name in wanted):
            try:
                fields = json.loads(line)
            except ValueError:  # the last line may be half written
                continue
            yield Line(process, fields)
