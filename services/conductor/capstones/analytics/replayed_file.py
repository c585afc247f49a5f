"""A file of events or ratings, and how it is replayed: as if its rows came now, one after the other. Pure but for reading the file.

The newest time so far in the file is taken for now, so a row keeps its age: a file in order of time has no late row, and in a file that is
not, a row that is older than LATE_MS when its turn comes is late. Ages near LATE_MS are moved away from it by MARGIN_MS, so that a request
that takes a while does not change what is late.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conductor.capstones.analytics.events import FLAGGED, LATE_MS, MINUTE_MS, Row
from conductor.errors import Refused

MARGIN_MS = 15 * MINUTE_MS

LIKED = 4.0
"""A rating of so many stars is a like, and a lower one a view."""

COLUMNS = {
    "user": ("user", "userId", "user_id"),
    "content": ("content", "movieId", "item", "item_id"),
    "at": ("at_ms", "timestamp"),
}
"""Names of columns, any of which may be there. `timestamp` is in seconds."""


@dataclass(frozen=True, slots=True)
class Told:
    """One row: when it happened, in milliseconds since 1970, and the other members of its event."""

    at_ms: int
    members: Mapping[str, Any]


@dataclass(slots=True)
class Offline:
    """What the rows come to, counted here."""

    rows: int = 0
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind and content."""
    apart: Counter[str] = field(default_factory=Counter)
    """By `late:<kind>` and `flagged:<kind>`."""


def read(file: Path) -> list[Told]:
    """The rows of a file: NDJSON of events, or CSV of events or ratings with a header. Refused names the first row that is neither."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            first = next((line for line in lines if line.strip()), "")
            lines.seek(0)
            return list(_events(file, lines) if first.lstrip().startswith("{") else _table(file, lines))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"{file} is no text: {error}") from None


def _events(file: Path, lines: Iterable[str]) -> Iterator[Told]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = dict(json.loads(line))
            members = {
                **event,
                "user": str(event["user"]),
                "content": str(event["content"]),
                "kind": str(event["kind"]),
            }
            yield Told(int(members.pop("at_ms")), {"id": f"{number}", **members})
        except (ValueError, TypeError, KeyError) as error:
            raise Refused(f"{file}, line {number}: is no event ({type(error).__name__}: {error})") from None


def _table(file: Path, lines: Iterable[str]) -> Iterator[Told]:
    table = csv.DictReader(lines)
    header = table.fieldnames or ()
    columns = {what: next((name for name in names if name in header), None) for what, names in COLUMNS.items()}
    for what, found in columns.items():
        if found is None:
            raise Refused(f"{file} has no column {' or '.join(COLUMNS[what])}, but {', '.join(header)}")
    unit = 1 if columns["at"] == "at_ms" else 1000
    for row in table:
        try:
            at_ms = int(float(row[columns["at"]]) * unit)
            kind = row["kind"] if "kind" in header else "like" if float(row.get("rating") or 0) >= LIKED else "view"
            user, content = str(row[columns["user"]]), str(row[columns["content"]])
        except (ValueError, TypeError, OverflowError) as error:
            raise Refused(f"{file}, line {table.line_num}: is no event ({error})") from None
        yield Told(at_ms, {"id": f"{table.line_num}", "user": user, "content": content, "kind": kind})


class Clock:
    """Gives each row its time, and counts it."""

    def __init__(self) -> None:
        self.offline = Offline()
        self._newest_ms = 0

    def event(self, row: Told, now_ms: int) -> tuple[dict[str, Any], Row]:
        """The event to be sent now, and what a history keeps of it."""
        self._newest_ms = max(self._newest_ms, row.at_ms)
        age = self._newest_ms - row.at_ms
        late = age > LATE_MS
        age = max(age, LATE_MS + MARGIN_MS) if late else min(age, LATE_MS - MARGIN_MS)
        event = {**row.members, "at_ms": now_ms - age}
        kind, flagged = event["kind"], event.get("bot") is True
        self.offline.rows += 1
        if late:
            self.offline.apart[f"late:{kind}"] += 1
        elif flagged:
            self.offline.apart[f"{FLAGGED}{kind}"] += 1
        else:
            self.offline.counted[kind, event["content"]] += 1
        return event, (event["user"], event["content"], f"{FLAGGED if flagged else ''}{kind}", event["at_ms"])
