"""Counts events by content and by topic for trends, each user once in five minutes, so that no user makes a trend alone. Pure.

Whom it counted is remembered in a table of fixed size, at the place that a pair's hash names, and a pair that comes to a taken place
takes it. So a user may be counted again earlier when there are many others, never a million times a minute. Memory is 8 MB.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from analytics.domain.batch import Group, topics
from analytics.domain.errors import BatchRefused
from analytics.domain.events import KINDS, MINUTE_MS

COUNTED = frozenset(KINDS.index(kind) for kind in ("view", "like", "share", "comment", "follow"))
"""Kinds that make a trend; taking something back does not."""

PERIOD_MS = 5 * MINUTE_MS
PLACES = 1 << 20

_PLACE = PLACES - 1
_TAG = ((1 << 64) - 1) ^ _PLACE


@dataclass(slots=True)
class Counts:
    """Events of one minute."""

    contents: Counter[str] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)


class CappedCounts:
    """Counts what it is given since it was last asked."""

    def __init__(self) -> None:
        self._counted = array("Q", bytes(8 * PLACES))
        self._minutes: defaultdict[int, Counts] = defaultdict(Counts)

    def add(self, counted: Iterable[tuple[Group, int, int]]) -> None:
        """Count events, each given by a group and where they are in its columns; only those of a user that were not counted lately."""
        table = self._counted
        for group, start, end in counted:
            if group.kind not in COUNTED:
                continue
            period = (group.minute * MINUTE_MS // PERIOD_MS) & _PLACE
            counts = self._minutes[group.minute]
            about = _topics(group)
            contents: list[str] = []
            named: list[str] = []
            for i in range(start, end):
                pair = hash((group.contents[i], group.users[i]))
                place, tag = pair & _PLACE, (pair & _TAG) | period
                if table[place] == tag:
                    continue
                table[place] = tag
                contents.append(group.contents[i])
                if about[i]:
                    for topic in set(about[i]):
                        pair = hash((topic, group.users[i], 0))
                        place, tag = pair & _PLACE, (pair & _TAG) | period
                        if table[place] != tag:
                            table[place] = tag
                            named.append(topic)
            counts.contents.update(contents)
            counts.topics.update(named)

    def take(self) -> dict[int, Counts]:
        """What was counted since the last call, by minute since 1970."""
        taken, self._minutes = self._minutes, defaultdict(Counts)
        return taken


def _topics(group: Group) -> list[tuple[str, ...]]:
    try:
        found = topics(group)
    except BatchRefused:
        found = []
    # What an edge wrote wrongly costs the topics of its batch, not the counters, which are right already.
    return found if len(found) == len(group.contents) else [()] * len(group.contents)
