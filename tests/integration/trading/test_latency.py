"""Measures of latency are kept in PostgreSQL, each input in one of them, whatever the database does."""

import pytest
import sqlalchemy as sa

from chassis.errors import Transient
from chassis.migrate import migrate, scripts_of
from trading.adapters.latency_store import SqlLatencyStore
from trading.usecases.latency import LatencyWatch


def test_each_input_is_in_one_measure_and_what_is_over_budget_is_said(database_url, monkeypatch):
    migrate(database_url, scripts_of("trading.audit"))
    store, counts = SqlLatencyStore(database_url, kept_days=7), [0, 0, 0]
    watch = LatencyWatch(store, 3, lambda: tuple(counts), 10, {0.5: 0.0, 0.99: 2.0})

    assert watch.measure() is None
    counts[0] += 1000
    watch.measure()
    counts[2] += 500
    with monkeypatch.context() as patch:
        patch.setattr(store, "_engine", sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none"))
        with pytest.raises(Transient):
            watch.measure()
    counts[2] += 100
    watch.measure()

    late, early = store.newest(3, 10)
    assert (1000, 1.024, []) == (early.inputs, early.p99_us, early.breaches)
    assert (600, 4.096, ["p99 is at least 2.048 µs, its budget is 2 µs"]) == (late.inputs, late.p50_us, late.breaches)


def test_old_measures_are_removed(database_url):
    migrate(database_url, scripts_of("trading.audit"))
    counts = [1]
    watch = LatencyWatch(SqlLatencyStore(database_url, kept_days=7), 0, lambda: tuple(counts), 10, {})
    watch.measure()
    with sa.create_engine(database_url, poolclass=sa.NullPool).begin() as conn:
        conn.execute(sa.text("UPDATE latency_measures SET measured_at = now() - interval '8 days'"))
    counts[0] += 5
    watch.measure()

    assert [5] == [one.inputs for one in SqlLatencyStore(database_url, kept_days=7).newest(0, 10)]
