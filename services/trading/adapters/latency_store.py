"""Measures of the engines' latency in PostgreSQL, kept for some days."""

from typing import NamedTuple

import sqlalchemy as sa

from chassis.parking import engine_for
from trading.adapters.tables import latency_measures
from trading.adapters.transactions import begun


class Measure(NamedTuple):
    """What a shard's engine needed for the inputs of one interval. A percentile is the upper bound of its bucket."""

    shard: int
    inputs: int
    p50_us: float
    p99_us: float
    p999_us: float
    breaches: list[str]
    """What was over its budget, in words; empty when nothing was."""


class SqlLatencyStore:
    """The measures of all shards."""

    def __init__(self, database_url: str, *, kept_days: int) -> None:
        self._engine, self._kept_days = engine_for(database_url), kept_days

    def add(self, measure: Measure) -> None:
        """Keep a measure, and remove those that are too old. Raises chassis.errors.Transient."""
        table = latency_measures
        with begun(self._engine) as conn:
            conn.execute(table.insert().values(**measure._asdict()))
            oldest = sa.func.now() - sa.func.make_interval(0, 0, 0, self._kept_days)
            conn.execute(table.delete().where(table.c.measured_at < oldest))

    def newest(self, shard: int, limit: int) -> list[Measure]:
        """The last measures of a shard, the newest first. Raises Transient."""
        table = latency_measures.c
        wanted = sa.select(*(table[name] for name in Measure._fields)).where(table.shard == shard)
        with begun(self._engine) as conn:
            return [Measure(*row) for row in conn.execute(wanted.order_by(table.id.desc()).limit(limit))]
