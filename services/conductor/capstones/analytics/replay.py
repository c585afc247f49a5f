"""Replays a file through the edge, and compares what the counters grew by with what the file says, counted here."""

import itertools
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from conductor.capstones.analytics import counters
from conductor.capstones.analytics.api_client import EdgeApi
from conductor.capstones.analytics.promises import Intent
from conductor.capstones.analytics.replayed_file import Clock, Offline, Told
from conductor.capstones.analytics.sending import Request, Sender, Sent
from conductor.errors import StoreUnreachable
from conductor.history import Journal, now
from conductor.runtime import Reach
from conductor.waiting import until

COMPARED = ("ct:", "apart")
"""Counters by content of all time, and those of what is counted apart."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it."""

    sent: Sent
    offline: Offline
    differences: Sequence[str]
    """Each counter that grew by something else than the file says."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        counted = self.offline.counted.total()
        return {
            **self.sent.as_json(),
            "rows": self.offline.rows,
            "counted": counted,
            "apart": dict(self.offline.apart),
            "differences": len(self.differences),
        }


def replay(
    reach: Reach, journal: Journal, rows: Sequence[Told], *, request: int, rate: float, wait_seconds: float
) -> Replayed:
    """Send the rows in this order, `request` at a time and `rate` a second; compare once they are counted, or time is up.

    Whoever else sends events meanwhile makes differences. Raises StoreUnreachable.
    """
    clock = Clock()
    before, counted_before = counters.read(reach, COMPARED), counters.counted(reach)
    connect: Callable[[], EdgeApi] = partial(EdgeApi.of, reach)
    sent = Sender(connect, journal, _requests(clock, rows, request), per_second=rate / request).all()
    until(lambda: _counted(reach) >= counted_before + sent.accepted, within_seconds=wait_seconds, every_seconds=0.5)
    return Replayed(sent, clock.offline, _differences(clock.offline, before, counters.read(reach, COMPARED)))


def _requests(clock: Clock, rows: Sequence[Told], size: int) -> Iterator[Request]:
    run = f"replay-{secrets.token_hex(4)}"
    left = iter(rows)
    for number in itertools.count(1):
        part = list(itertools.islice(left, size))
        if not part:
            return
        at = now()
        events = [clock.event(row, round(at * 1000)) for row in part]
        body = "\n".join(json.dumps(event) for event, _ in events).encode()
        intent = Intent(at, f"{run}-{number}", "", number=number, rows=tuple(row for _, row in events))
        yield Request(intent, body, len(part))


def _counted(reach: Reach) -> int:
    try:
        return counters.counted(reach)
    except StoreUnreachable:
        return 0


def _differences(offline: Offline, before: counters.Counters, after: counters.Counters) -> list[str]:
    wanted: dict[str, Mapping[str, int]] = {"apart": offline.apart}
    for (kind, content), count in offline.counted.items():
        wanted[f"ct:{kind}"] = {**wanted.get(f"ct:{kind}", {}), content: count}
    return [
        f"{key} {name}: {grown} counted, {expected} in the file"
        for key in sorted({*wanted, *after})
        for name in sorted({*wanted.get(key, {}), *after.get(key, {})})
        if (expected := wanted.get(key, {}).get(name, 0))
        != (grown := after.get(key, {}).get(name, 0) - before.get(key, {}).get(name, 0))
    ]
