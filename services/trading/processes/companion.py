"""A shard as the companion of a Celery worker (see chassis.companion): the worker owns engine, gateway and followers."""

from collections.abc import Sequence
from typing import Any

from trading.adapters import published
from trading.adapters.board import DURATIONS, FIRST_POWER, Field
from trading.processes.followers import Follower
from trading.processes.owner import Owner
from trading.processes.settings import ShardSettings

STARTING = "engine and gateway start"


class ShardCompanion:
    """Owns one shard. `metrics` may be called by any thread."""

    def __init__(self, settings: ShardSettings, followers: Sequence[Follower]) -> None:
        self._owner = Owner(settings, followers)

    def start(self) -> None:
        """Start the children."""
        self._owner.start()

    def check(self) -> str:
        """Replace children that are dead or silent; why no orders are taken now, empty when they are."""
        self._owner.check()
        return "" if self._owner.ready else self._owner.why or STARTING

    def stop(self) -> bool:
        """Refuse new orders, empty the ring, sync the journal, write a snapshot. False when a child had to be killed."""
        return self._owner.stop()

    def durations(self) -> tuple[int, ...]:
        """How many inputs the engine took by how long they took, see board.Field.ENGINE_DURATIONS; it only grows."""
        return self._owner.counts().durations

    def metrics(self) -> bytes:
        """Counters and the histogram of the engine's latency in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(_Shown(self._owner))
        return generate_latest(registry)


class _Shown:
    """What a scrape asks."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def collect(self) -> Any:
        """The metrics as they are now."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        owner, counts = self._owner, self._owner.counts()
        yield GaugeMetricFamily("trading_shard_ready", "Whether orders are taken", value=owner.ready)
        yield CounterMetricFamily(
            "trading_shard_replacements", "How often engine and gateway were replaced", value=owner.replaced
        )
        yield GaugeMetricFamily(
            "trading_tail_lag_records",
            "Records of the journal that the broker has not confirmed",
            value=max(owner.number(Field.ENGINE_SEQUENCE) - published.read(owner.settings.published).sequence, 0),
        )
        yield GaugeMetricFamily(
            "trading_fix_sessions", "Clients that are logged on", value=owner.number(Field.GATEWAY_SESSIONS)
        )
        messages = CounterMetricFamily(
            "trading_fix_messages", "Application and session messages by direction", labels=["direction"]
        )
        messages.add_metric(["in"], counts.messages_in)
        messages.add_metric(["out"], counts.messages_out)
        yield messages
        yield CounterMetricFamily(
            "trading_orders_refused_busy", "Requests that the ring had no room for", value=counts.refused_full
        )
        seen, buckets = 0, []
        for index, number in enumerate(counts.durations[: DURATIONS - 1]):
            seen += number
            buckets.append((repr(2 ** (FIRST_POWER + index) / 1e9), seen))
        buckets.append(("+Inf", sum(counts.durations)))
        yield HistogramMetricFamily(
            "trading_engine_input_duration_seconds",
            "From taking an input out of the ring until the outcomes of its batch are handed over",
            buckets=buckets,
            sum_value=counts.busy_ns / 1e9,
        )
