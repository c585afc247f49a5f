"""Measures the latency of a shard's engine by the clock, and alerts when a percentile is over its budget. Not for several threads."""

from collections.abc import Callable, Mapping, Sequence

from chassis.loggers import get_logger
from trading.adapters.latency_store import Measure, SqlLatencyStore
from trading.domain.latency import breaches, percentile

log = get_logger(__name__)


class LatencyWatch:
    """What came since the last measure that was stored is in the next one."""

    def __init__(
        self,
        store: SqlLatencyStore,
        shard: int,
        durations: Callable[[], Sequence[int]],
        first_power: int,
        budgets_us: Mapping[float, float],
    ) -> None:
        """`durations` gives a histogram that only grows, see domain.latency."""
        self._store, self._shard, self._durations = store, shard, durations
        self._first_power, self._budgets_us = first_power, dict(budgets_us)
        self._before = (0,) * len(durations())

    def measure(self) -> Measure | None:
        """Store what was measured since the last time; None when no input came. Raises chassis.errors.Transient: it is in the next one."""
        counts = tuple(self._durations())
        since = [now - before for now, before in zip(counts, self._before, strict=True)]
        found = [percentile(since, self._first_power, share) for share in (0.5, 0.99, 0.999)]
        if not sum(since):
            return None
        over = breaches(since, self._first_power, self._budgets_us)
        p50, p99, p999 = (bounds.high_ns / 1000 if bounds else 0.0 for bounds in found)
        measure = Measure(self._shard, sum(since), p50, p99, p999, [str(one) for one in over])
        self._store.add(measure)
        self._before = counts
        for one in over:
            log.warning("latency_over_budget", shard=self._shard, inputs=measure.inputs, breach=str(one))
        return measure
