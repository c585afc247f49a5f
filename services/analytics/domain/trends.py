"""What rises: keys (contents or topics) that get more events than usual, over five minutes, an hour and a day. Pure.

    score = (x - e) / sqrt(e + BETA)

x is the number of events of about one window, and e what would be usual, both from fading sums. Over a window of W seconds an event of
age t counts e^(-t/W) in x, and in e it counts in proportion to e^(-t/L) - e^(-t/W), L being the next longer window. So a burst does not
raise its own baseline at first. Score and bounded memory are after SigniTrend (Schubert, Weiler, Kriegel, KDD 2014); here the variance is
that of a Poisson process, e, because counts have no other when nothing happens.

Sums are sketches, so two replicas' `Trends` add up; what is listed is a bounded set of candidates that were large when they grew.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nlargest
from math import expm1, sqrt

import msgspec

from analytics.domain.decayed_sketch import ROWS, WIDTH, DecayedSketch, cells_of

WINDOWS: dict[str, int] = {"5m": 300, "1h": 3600, "24h": 86_400}
"""Seconds of each window that can be asked for."""

SPANS: tuple[int, ...] = (300, 3600, 86_400, 7 * 86_400)
"""Seconds of the sums: each window, and what is usual for the longest."""

SUBJECTS = ("contents", "topics")
"""What trends are of."""

TOPIC_WIDTH = 1 << 12
"""Topics are few, so their sums are narrow."""

BETA = 30.0
"""Keeps small numbers from being large news: a new key needs 6 sqrt(BETA) = 33 events for a score of 6."""

LEAST_SCORE = 6.0
"""Below it nothing is listed: a count of constant rate exceeds six standard deviations once in a thousand million looks."""

WARM_UP = 0.2
"""A part of a window: before it has passed since the first event, nothing is unusual, because nothing is usual."""

CANDIDATES = 400
"""Keys that are kept to be listed, for each window."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Events of a key in a window, and what would be usual."""

    count: float
    usual: float

    def __add__(self, other: "Measure") -> "Measure":
        return Measure(self.count + other.count, self.usual + other.usual)

    @property
    def score(self) -> float:
        """How unusual the count is, in about standard deviations."""
        return (self.count - self.usual) / sqrt(self.usual + BETA)

    @property
    def reason(self) -> str:
        """What a person is told."""
        if self.count < 0.5 or self.usual < 0.5 or self.count / self.usual > 1000:
            return f"{self.count:,.0f} events, usually none"
        return f"{self.count / self.usual:.3g}× its usual"


class Trends:
    """The sums of one replica, for keys of one kind."""

    def __init__(self, now: float, *, width: int = WIDTH) -> None:
        self.started = now
        self._width = width
        self._sums = [DecayedSketch(span, now=now, width=width) for span in SPANS]
        self._candidates: list[dict[str, tuple[int, ...]]] = [{} for _ in WINDOWS]

    def add(self, counts: Mapping[str, int], *, at: float, now: float) -> None:
        """Add events by key that happened at `at`, which is not after `now`."""
        self.started = min(self.started, at)
        for sums in self._sums:
            sums.rescale(now)
        weights = [sums.weight(at) for sums in self._sums]
        floors = [self._floor(window, now) for window in range(len(WINDOWS))]
        (a, b, c, d), (v, w, x, y), (f, g, h), width = [sums.cells for sums in self._sums], weights, floors, self._width
        minutes, hours, days = self._candidates
        for key, count in counts.items():
            cells = cells_of(key, width)
            i, j, k = cells
            # Written out, because this is most of what trends cost.
            grown = count * v
            a[i] += grown
            a[j] += grown
            a[k] += grown
            if a[i] > f and a[j] > f and a[k] > f:
                minutes[key] = cells
            grown = count * w
            b[i] += grown
            b[j] += grown
            b[k] += grown
            if b[i] > g and b[j] > g and b[k] > g:
                hours[key] = cells
            grown = count * x
            c[i] += grown
            c[j] += grown
            c[k] += grown
            if c[i] > h and c[j] > h and c[k] > h:
                days[key] = cells
            grown = count * y
            d[i] += grown
            d[j] += grown
            d[k] += grown
        for sums in self._sums:
            sums.settle()
        self._prune(now)

    def _floor(self, window: int, now: float) -> float:
        """What a cell must hold for its key to be a candidate: a third of a score's worth beyond what others put there."""
        sums = self._sums[window]
        return sums.background + LEAST_SCORE / 3 * sqrt(BETA) * sums.weight(now)

    def measure(self, window: int, key: str, now: float) -> Measure:
        """The measure of a key; `window` is a position in WINDOWS."""
        return self._measure(window, cells_of(key, self._width), now)

    def candidates(self, window: int, now: float) -> dict[str, Measure]:
        """The measures of what may be listed, the highest score first."""
        found = {key: self._measure(window, cells, now) for key, cells in self._candidates[window].items()}
        return dict(sorted(found.items(), key=lambda item: -item[1].score))

    def merge(self, other: "Trends") -> None:
        """Add what another replica held that is no more."""
        for mine, its in zip(self._sums, other._sums, strict=True):
            mine.merge(its)
        for candidates, more in zip(self._candidates, other._candidates, strict=True):
            candidates.update(more)
        self.started = min(self.started, other.started)
        self._prune(max(sums.landmark for sums in self._sums))

    def _measure(self, window: int, cells: tuple[int, ...], now: float) -> Measure:
        short, long = self._sums[window], self._sums[window + 1]
        count = short.read(cells, now)
        if now - self.started < short.seconds * WARM_UP:
            return Measure(count, count)
        # The long sum knows only what came since the start, so it is divided by the weight of that time.
        known = _mass(long.seconds, now - self.started) - _mass(short.seconds, now - self.started)
        usual = max(0.0, long.read(cells, now) - count) * _mass(short.seconds, now - self.started) / known
        return Measure(count, usual)

    def _prune(self, now: float) -> None:
        for window, candidates in enumerate(self._candidates):
            if len(candidates) > 10 * CANDIDATES:
                scored = ((self._measure(window, cells, now).score, key) for key, cells in candidates.items())
                self._candidates[window] = {key: candidates[key] for _, key in nlargest(CANDIDATES, scored)}

    def encode(self) -> bytes:
        """All of it, as MessagePack."""
        sums = [(one.landmark, one.cells.tobytes()) for one in self._sums]
        return msgspec.msgpack.encode((self._width, self.started, sums, [list(keys) for keys in self._candidates]))

    @classmethod
    def decode(cls, body: bytes) -> "Trends":
        """The opposite of `encode`. Raises ValueError for anything else."""
        width, started, sums, candidates = msgspec.msgpack.decode(body, type=_Encoded)
        found = cls(started, width=width)
        for one, (landmark, cells) in zip(found._sums, sums, strict=True):
            if len(cells) != 8 * ROWS * width:
                raise ValueError(f"a sum has {len(cells)} bytes for a width of {width}")
            one.landmark = landmark
            one.cells[:] = type(one.cells)("d", cells)
            one.settle()
        found._candidates = [{key: cells_of(key, width) for key in keys} for keys in candidates]
        return found


_Encoded = tuple[int, float, list[tuple[float, bytes]], list[list[str]]]


def _mass(seconds: float, age: float) -> float:
    """The weight of all moments of the last `age` seconds in a sum that fades in `seconds`."""
    return -seconds * expm1(-age / seconds) if age > 0 else 0.0


def largest(reports: Iterable[Mapping[str, Measure]]) -> list[str]:
    """Every key that a replica reported, the one with the largest sum of counts first."""
    sums: defaultdict[str, float] = defaultdict(float)
    for part in reports:
        for key, measure in part.items():
            sums[key] += measure.count
    return sorted(sums, key=lambda key: (-sums[key], key))


def ranked(
    reports: Iterable[Mapping[str, Measure]], limit: int, least: float = LEAST_SCORE
) -> list[tuple[str, Measure]]:
    """What to list, of a score of at least `least`, the highest first, from the reports of all replicas.

    A key that a replica did not report is left out, because what is usual for it is not known.
    """
    parts = list(reports)
    keys = set.intersection(*map(set, parts)) if parts else set()
    empty = Measure(0.0, 0.0)
    sums = {key: sum((part[key] for part in parts), empty) for key in keys}
    listed = ((key, measure) for key, measure in sums.items() if measure.score >= least)
    return nlargest(limit, listed, key=lambda item: (item[1].score, item[0]))
