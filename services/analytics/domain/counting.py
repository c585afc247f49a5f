"""Counting a window of batches: what each counter grows by. Pure.

Each part is counted once in a window, although its batch may have been delivered twice or its client may have sent it twice. Parts that
were counted in an earlier window are named by the store; the window is then counted again without them.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from analytics.domain.batch import Batch, Group
from analytics.domain.events import COUNTED, KINDS, Timing

Counters = defaultdict[tuple[str, int], Counter[str]]


@dataclass(slots=True)
class Growth:
    """What a window adds to the counters."""

    parts: list[bytes] = field(default_factory=list)
    """Ids of the parts that are counted, each once."""
    contents: Counters = field(default_factory=lambda: defaultdict(Counter))
    """Events by content, for each (kind, minute)."""
    users: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Events by user, for each hour since 1970."""
    totals: Counters = field(default_factory=lambda: defaultdict(Counter))
    """Events by minute (as text), for each (kind, hour)."""
    apart: Counter[str] = field(default_factory=Counter)
    """Events that are in no counter above, by `late:<kind>`, `future:<kind>` or `flagged:<kind>`; and those that were `refused`."""
    counted: list[tuple[Group, int, int]] = field(default_factory=list)
    """Where the events of the contents' counters are, but backfilled ones: from and to in the columns of a group. For what is computed
    beside the counters."""
    events: int = 0
    published_ms: int = 0
    """When the newest batch was published."""
    oldest_ms: int = 2**42
    """When the oldest one was."""

    def apart_sums(self) -> Counter[str]:
        """How many events are in no counter but `apart`, by the reason."""
        sums: Counter[str] = Counter()
        for name, events in self.apart.items():
            sums[name.partition(":")[0]] += events
        return sums


def count(batches: Sequence[Batch], known: Collection[bytes] = frozenset()) -> Growth:
    """What `batches` add, without the parts in `known`."""
    growth = Growth()
    seen = set(known)
    for batch in batches:
        growth.published_ms = max(growth.published_ms, batch.published_ms)
        growth.oldest_ms = min(growth.oldest_ms, batch.published_ms)
        fresh = [part not in seen for part in batch.parts]
        for index, part in enumerate(batch.parts):
            if fresh[index] and part in seen:  # twice in one batch
                fresh[index] = False
            elif fresh[index]:
                seen.add(part)
                growth.parts.append(part)
                if batch.refused and batch.refused[index]:
                    growth.apart["refused"] += batch.refused[index]
        whole = all(fresh)
        for group in batch.groups:
            if whole:
                _add(growth, group, 0, len(group.contents))
                continue
            for start, end in _runs(group, fresh):
                _add(growth, group, start, end)
    return growth


def _runs(group: Group, fresh: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where the events of fresh parts are in the group's columns."""
    end = 0
    for index, length in zip(group.runs[::2], group.runs[1::2], strict=True):
        start, end = end, end + length
        if fresh[index]:
            yield start, end


def _add(growth: Growth, group: Group, start: int, end: int) -> None:
    events = end - start
    kind, hour = KINDS[group.kind], group.minute // 60
    growth.events += events
    if group.timing not in COUNTED:
        growth.apart[f"{Timing(group.timing).name.lower()}:{kind}"] += events
        return
    whole = events == len(group.contents)
    growth.contents[kind, group.minute].update(group.contents if whole else group.contents[start:end])
    growth.users[hour].update(group.users if whole else group.users[start:end])
    if group.timing == Timing.ON_TIME:
        growth.counted.append((group, start, end))
    growth.totals[kind, hour][str(group.minute)] += events
