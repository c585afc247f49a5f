"""What commands end with is told in words that an outside system may choose: no series, however many. BOMBS says how many of each kind."""

import os
import uuid
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from desk import Desk
from prometheus_client import CollectorRegistry

from chassis import metrics
from chassis.outbox import Outcome, Park, Retry, Work
from fakes.recorded_spans import trace_into

BOMBS = int(os.environ.get("BOMBS", "300"))
TOGETHER = 500
MOST_SERIES = 50

pytestmark = pytest.mark.timeout(120 + BOMBS / 100)


def parked(why: str) -> Outcome:
    return Park("permanent", why)


def again(why: str) -> Outcome:
    return Retry(60.0, why)


@pytest.mark.parametrize("ends", [parked, again])
def test_no_reason_of_a_command_makes_a_series(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, ends: Callable[[str], Outcome]
) -> None:
    registry, recorded = CollectorRegistry(), list[str]()
    monkeypatch.setattr(metrics, "_set", metrics.Metrics("till", registry))
    trace_into(monkeypatch, SimpleNamespace(on_end=lambda span: recorded.append(span.name)))
    runner = desk.runner(observer=metrics.count_command)

    def effect(_: sa.Connection, works: Sequence[Work]) -> dict[int, Outcome]:
        return {work.id: ends(f"{uuid.uuid4()}: no such customer") for work in works}

    def end(count: int) -> int:
        return runner.run(desk.issue(*(str(uuid.uuid4()) for _ in range(count))), effect)

    def series() -> int:
        return sum(len(metric.samples) for metric in registry.collect())

    assert 1 == end(1)
    before = series()
    for first in range(1, BOMBS, TOGETHER):
        desk.run("TRUNCATE outbox, parked, parked_audit")
        count = min(TOGETHER, BOMBS - first)
        assert count == end(count)

    assert series() - before <= MOST_SERIES
    assert {"wait shop.count", "process shop.count"} >= set(recorded)
    assert BOMBS <= recorded.count("process shop.count")
