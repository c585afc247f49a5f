"""What requests of the analytics tell in their traces: links lead from each to its batch, and from this to the window that applied it.

A batch carries many requests and a window many batches, so each is a trace of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from told_spans import Told, entry_of_batch_or_input

AGGREGATE = "process analytics.aggregate"


@dataclass
class Way:
    """Of one request into the counters. `lost` are links of the request that lead to no batch, or to one that does not lead back."""

    batches: list[str] = field(default_factory=list)
    windows: list[str] = field(default_factory=list)
    lost: int = 0


def ways(spans: Sequence[Told]) -> dict[str, list[Way]]:
    """By the digest of its key, the way of each request with events."""
    entries = {(span.trace, span.id): entry_of_batch_or_input(span) for span in spans}
    known = {(span.trace, span.id): span for span in spans}
    applied = defaultdict(list)
    for span in spans:
        if span.name == AGGREGATE and entries[span.trace, span.id] == "flush":
            for to in span.links:
                applied[to].append(span.id)
    found: dict[str, list[Way]] = defaultdict(list)
    for span in spans:
        if span.name != "POST /events":
            continue
        way = Way()
        for to in span.links:
            if entries.get(to) == "send_batch" and (span.trace, span.id) in known[to].links:
                way.batches.append(to[1])
                way.windows += applied[to]
            else:
                way.lost += 1
        found[str(span.attributes.get("request.id", ""))].append(way)
    return found


def uncarried(spans: Sequence[Told]) -> list[Told]:
    """The batches that no request leads to, and the windows that are not linked with as many batches as they applied."""
    led = {to for span in spans if span.name == "POST /events" for to in span.links}
    found = []
    for span in spans:
        entry = entry_of_batch_or_input(span)
        if entry == "send_batch" and (span.trace, span.id) not in led:
            found.append(span)
        if entry == "flush" and int(span.attributes["messaging.batch.message_count"]) != len(span.links):
            found.append(span)
    return found
