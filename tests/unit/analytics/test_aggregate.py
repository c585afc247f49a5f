"""What the counting of a window shows of it, and what that costs: nothing an event."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry

from analytics.domain.batch import Batch, columnise, decode, encode
from analytics.domain.counting import Growth
from analytics.domain.events import Event, Timing
from analytics.domain.parts import Part, part_id
from analytics.usecases.aggregate import Aggregate
from chassis import batch_traces, metrics, tracing
from fakes.recorded_spans import recorded_spans

NOW_MS = 1_800_000_000_000


class Store:
    """Adds whatever comes."""

    def add(self, growth: Growth) -> frozenset[bytes]:
        return frozenset()

    def ping(self) -> None: ...


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    made = CollectorRegistry()
    monkeypatch.setattr(metrics, "_set", metrics.Metrics("aggregate", made))
    return made


def batch(events: int, *, timing: Timing = Timing.ON_TIME, refused: int = 0, number: int = 0) -> Batch:
    told = [
        Event(id=f"e{n}", user=f"u{n}", content=f"c{n}", kind="view", at_ms=NOW_MS, topics=("t",))
        for n in range(events)
    ]
    return decode(encode(columnise([Part(part_id("c", "k", number), told, refused)], NOW_MS, lambda _: timing)))


def aggregate() -> Aggregate:
    return Aggregate(Store(), oldest_ms=3_600_000, clock_ms=lambda: NOW_MS + 1000)


def shown(registry: CollectorRegistry) -> dict[str, float]:
    return {
        sample.labels["timing"]: sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "analytics_events_total"
    }


@pytest.mark.parametrize("refused", [0, 1, 1000])
def test_events_that_were_refused_are_no_events_of_any_timing(registry: CollectorRegistry, refused: int) -> None:
    batches = [
        batch(3, refused=refused),
        *(batch(2, timing=t, number=t) for t in (Timing.LATE, Timing.FUTURE, Timing.FLAGGED)),
    ]
    aggregate().apply(batches)

    assert {"on_time": 3, "late": 2, "future": 2, "flagged": 2} == shown(registry)


TELEMETRY = (
    *(str(Path(module.__file__ or "")) for module in (metrics, tracing, batch_traces)),
    str(Path(prometheus_client.__file__).parent),
)


def calls(batches: list[Batch], headers: Any) -> Counter[str]:
    """How often what a window calls is a function of what is counted or traced."""
    found: Counter[str] = Counter()

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(TELEMETRY):
            found[frame.f_code.co_qualname] += 1

    sys.setprofile(profile)
    try:
        with batch_traces.flushing("rabbitmq", "analytics.aggregate", headers):
            aggregate().apply(batches)
    finally:
        sys.setprofile(None)
    return found


def test_nothing_is_counted_or_traced_for_an_event(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded_spans(monkeypatch)
    few, many = [[batch(events, number=n) for n in range(3)] for events in (1, 5000)]
    calls(few, [])  # imports

    assert calls(few, []) == calls(many, [])
