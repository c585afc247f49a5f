"""Compares what was promised with the counters, key by key. Pure.

Each accepted event must be counted once, in four counters: by content and minute, by content, by user and hour, and by minute. A request
that was never answered may be counted or not, so each field has a least and a most. The bounds are made from the histories in plain
Python, without any code of the service.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conductor.capstones.analytics.counters import SHARED, Counters
from conductor.capstones.analytics.events import FLAGGED, FUTURE_MS, HOUR_MS, LATE_MS, MINUTE_MS, Row
from conductor.capstones.analytics.evidence import Evidence
from conductor.capstones.analytics.promises import Intent, Told
from conductor.verdict import Finding, Verdict

MINUTES_KEPT_MS, HOURS_KEPT_MS = 47 * HOUR_MS, 89 * 24 * HOUR_MS
"""How long counters by minute and by hour are there for certain; what is older may be gone, and is not judged."""

Growth = defaultdict[str, Counter[str]]


def _growth() -> Growth:
    return defaultdict(Counter)


@dataclass(slots=True)
class Bounds:
    """By key and field, how many events must be counted at least, and how many more may be."""

    least: Growth = field(default_factory=_growth)
    more: Growth = field(default_factory=_growth)
    events: int = 0
    """Events that were accepted."""
    unsure: int = 0
    """Events that may be counted or not, or of which nobody can tell whether they were late."""


def judge(evidence: Evidence, *, only_told: bool) -> Verdict:
    """The verdict; with `only_told` counters of scopes that these histories do not tell of are left out."""
    told = evidence.told
    bounds = expected(told)
    found = _of_these(evidence.counters, told) if only_told else evidence.counters
    findings = list(_compared(bounds, found, round(evidence.at * 1000)))
    lost = {finding.subject for finding in findings if finding.fault == "lost"}
    return Verdict(
        accepted=len(told.accepted),
        completed=len(told.accepted) - (_touched(told, lost) if lost else 0),
        findings=findings,
        kills=len(told.kills),
        counts={
            "events": bounds.events,
            "unsure": bounds.unsure,
            "apart": sum(count for name, count in bounds.least["apart"].items() if name != "refused"),
            "keys": sum(len(fields) for fields in bounds.least.values()),
        },
    )


def expected(told: Told) -> Bounds:
    """What the counters must have of all requests that are told of."""
    bounds = Bounds()
    for key, intent in told.intents.items():
        accepted, refused = told.accepted.get(key), told.refused.get(key)
        if accepted is None and refused is not None and refused.status is not None:
            continue
        taken_out = set(accepted.refused) if accepted else set()
        rows = [row for index, row in enumerate(intent.events()) if index not in taken_out and row is not None]
        if accepted:
            bounds.events += len(rows)
        else:
            bounds.unsure += len(rows)
        grown = bounds.least if accepted else bounds.more
        # Of a request that was never answered any event may have been refused.
        if refusals := len(accepted.refused) if accepted else len(intent.events()):
            grown["apart"]["refused"] += refusals
        ended = accepted or refused
        # Of a client that died nobody knows when its request was over.
        answered_ms = round(ended.at * 1000) if ended else round(intent.at * 1000) + LATE_MS
        # By the door of backfills nothing is late, back to 1970.
        late_ms = round(intent.at * 1000) if intent.backfill else LATE_MS
        _add(bounds, grown, rows, round(intent.at * 1000), answered_ms, late_ms)
    return bounds


def _add(bounds: Bounds, grown: Growth, rows: Sequence[Row], sent_ms: int, answered_ms: int, late_ms: int) -> None:
    oldest, newest = answered_ms - late_ms, sent_ms + FUTURE_MS
    for user, content, kind, at in rows:
        last_ms = at - at % MINUTE_MS + MINUTE_MS - 1
        counted = [("apart", kind)] if kind.startswith(FLAGGED) else [*keys_of(user, content, kind, at)]
        kind = kind.removeprefix(FLAGGED)
        if oldest <= last_ms <= newest:
            for key, name in counted:
                grown[key][name] += 1
        elif last_ms < sent_ms - late_ms:
            grown["apart"][f"late:{kind}"] += 1
        elif last_ms > answered_ms + FUTURE_MS:
            grown["apart"][f"future:{kind}"] += 1
        else:
            # It became late, or ceased to be of the future, while it was under way.
            bounds.unsure += 1
            apart = f"late:{kind}" if last_ms < oldest else f"future:{kind}"
            for key, name in (*counted, ("apart", apart)):
                bounds.more[key][name] += 1


def keys_of(user: str, content: str, kind: str, at_ms: int) -> Iterator[tuple[str, str]]:
    """Key and field of each counter that an event in time grows."""
    minute = at_ms // MINUTE_MS
    yield f"c:{kind}:{minute}", content
    yield f"ct:{kind}", content
    yield f"u:{minute // 60}", user
    yield f"t:{kind}:{minute // 60}", str(minute)


def _of_these(counters: Counters, told: Told) -> Counters:
    """The counters of the told scopes; of those that all clients share, how much they grew since the load began."""
    scopes = tuple({intent.scope for intent in told.intents.values()})
    before = told.baselines[0].counters if told.baselines else {}
    found: dict[str, Mapping[str, int]] = {}
    for key, fields in counters.items():
        if key.startswith(SHARED):
            found[key] = {name: count - before.get(key, {}).get(name, 0) for name, count in fields.items()}
        else:
            found[key] = {name: count for name, count in fields.items() if name.startswith(scopes)}
    return found


def _compared(bounds: Bounds, found: Counters, now_ms: int) -> Iterator[Finding]:
    nothing: Counter[str] = Counter()
    for key in sorted({*bounds.least, *bounds.more, *found}):
        if _may_be_gone(key, now_ms):
            continue
        least, more, there = bounds.least.get(key, nothing), bounds.more.get(key, nothing), found.get(key, nothing)
        for name in sorted({*least, *there}):
            count, lowest = there.get(name, 0), least.get(name, 0)
            highest = lowest + more.get(name, 0)
            if count < lowest:
                yield Finding("lost", f"{key} {name}", f"{count} counted, {lowest} were accepted")
            elif count > highest:
                yield Finding("doubled", f"{key} {name}", f"{count} counted, {highest} were sent")


def _may_be_gone(key: str, now_ms: int) -> bool:
    family, unit = key.partition(":")[0], key.rpartition(":")[2]
    if family == "c":
        return int(unit) * MINUTE_MS < now_ms - MINUTES_KEPT_MS
    return family in ("u", "t") and int(unit) * HOUR_MS < now_ms - HOURS_KEPT_MS


def _touched(told: Told, lost: set[str]) -> int:
    """How many accepted requests have an event in a counter that lacks some."""
    return sum(_touches(told.intents[key], lost) for key in told.accepted)


def _touches(intent: Intent, lost: set[str]) -> bool:
    rows = (row for row in intent.events() if row is not None)
    return any(f"{key} {name}" in lost for row in rows for key, name in keys_of(*row) if not key.startswith(SHARED))
