"""Counters of a pool, shared by its processes through files, answered by its main process (chassis.health) on `METRICS_PORT`.

Labels are the pool, the task and the outcome; never a host, a pod or a process, which would start a new series with every rollout.
Without a port and a folder nothing is imported and every call is a no-op. What reads the files is in chassis.metric_files.
Source: prometheus_client, "Multiprocess Mode".
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chassis.settings import ServiceSettings

if TYPE_CHECKING:  # a worker's main process needs no database client
    from chassis.outbox import Outcome, Work

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_ROUND_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Kind = Literal["counter", "histogram", "gauge"]


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric: its labels come after `pool`, which every metric has. `buckets` (s) are a histogram's."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = _SECONDS


_DEFINED: dict[str, Definition] = {}


def define(definition: Definition) -> str:
    """Make a metric known, at the import of the module that gives it; its name."""
    _DEFINED[definition.name] = definition
    return definition.name


STARTS = define(Definition("chassis_starts", "counter", "How often the main process was started in its place"))
TASKS = define(Definition("chassis_tasks", "counter", "Tasks by how they ended", ("task", "outcome")))
STARTED = define(Definition("chassis_tasks_started", "counter", "Tasks begun", ("task",)))
SECONDS = define(Definition("chassis_task_seconds", "histogram", "How long tasks ran", ("task",)))
KILLED = define(
    Definition(
        "chassis_tasks_killed", "counter", "Tasks whose process was killed or died under them", ("task", "reason")
    )
)
COMMANDS = define(Definition("chassis_commands", "counter", "Outbox commands by outcome", ("queue", "task", "outcome")))
RETRIES = define(
    Definition(
        "chassis_retries", "counter", "Outbox commands to be tried again, by the kind of reason", ("task", "reason")
    )
)
PARKED = define(Definition("chassis_parked", "counter", "Messages and commands parked", ("reason",)))
BATCHES = define(Definition("chassis_batches", "counter", "Batches of data by how they ended", ("queue", "outcome")))
CLOCK = define(
    Definition("chassis_clock_offset_seconds", "gauge", "How far the machine's clock is ahead of the database's")
)
BREAKER = define(
    Definition("chassis_breaker_open", "gauge", "1 while calls to an outside system are not tried", ("system",))
)
PUBLISHED = define(Definition("chassis_relay_published", "counter", "Commands that the relay published", ("queue",)))
REISSUED = define(
    Definition("chassis_relay_reissued", "counter", "Commands published again for want of an outcome", ("queue",))
)
ROUND_SECONDS = define(
    Definition("chassis_relay_round_seconds", "histogram", "How long rounds of the relay took", buckets=_ROUND_SECONDS)
)
ROUND_AT = define(
    Definition("chassis_relay_round_timestamp_seconds", "gauge", "When the relay last finished a round, in unix time")
)
OLDEST_DUE = define(
    Definition(
        "chassis_relay_oldest_due_seconds",
        "gauge",
        "How long the oldest command of the relay's last round had been due",
    )
)
TICK_AT = define(Definition("chassis_beat_tick_timestamp_seconds", "gauge", "When beat last ticked, in unix time"))
RUN_AT = define(
    Definition(
        "chassis_beat_run_timestamp_seconds", "gauge", "When beat last sent an entry of its schedule", ("entry",)
    )
)

_set: "Metrics | None" = None


class Metrics:
    """The metrics of this process; made by `start`. A metric is made when it is first used."""

    def __init__(self, pool: str, registry: Any = None) -> None:
        """Without a registry of prometheus_client, which shows what it has in memory, the counts are in the process's files alone."""
        from prometheus_client import CollectorRegistry

        self._registry = CollectorRegistry() if registry is None else registry
        self._pool = pool
        self._made: dict[str, Any] = {}
        self._making = threading.Lock()
        self._labelled: dict[tuple[str, ...], Any] = {}

    def labelled(self, name: str, *values: str) -> Any:
        """The one of prometheus_client with these values of its labels, which takes longer to find it than to count."""
        found = self._labelled.get((name, *values))
        if found is None:
            with self._making:  # a registry refuses a second one of a name
                made = self._made.get(name) or self._make(_DEFINED[name])
            found = self._labelled[name, *values] = made.labels(self._pool, *values)
        return found

    def _make(self, wanted: Definition) -> Any:
        import prometheus_client as client

        labels = ("pool", *wanted.labels)
        made: Any
        if wanted.kind == "counter":
            made = client.Counter(wanted.name, wanted.help, labels, registry=self._registry)
        elif wanted.kind == "histogram":
            made = client.Histogram(wanted.name, wanted.help, labels, registry=self._registry, buckets=wanted.buckets)
        else:
            made = client.Gauge(
                wanted.name, wanted.help, labels, registry=self._registry, multiprocess_mode="livemostrecent"
            )
        self._made[wanted.name] = made
        return made


def count(name: str, *values: str, by: float = 1.0) -> None:
    """Count, if this process counts at all; `values` are those of the metric's labels, in order."""
    if _set is not None:
        _set.labelled(name, *values).inc(by)


def observe(name: str, seconds: float, *values: str) -> None:
    """Put a time into a histogram."""
    if _set is not None:
        _set.labelled(name, *values).observe(seconds)


def show(name: str, value: float, *values: str) -> None:
    """Set a gauge."""
    if _set is not None:
        _set.labelled(name, *values).set(value)


def key(name: str, *values: str) -> str:
    """How a counter of these values of its labels, the pool's first, is named in the files."""
    from prometheus_client.mmap_dict import mmap_key

    wanted = _DEFINED[name]
    return mmap_key(name, f"{name}_total", ["pool", *wanted.labels], list(values), wanted.help)


def wanted(settings: ServiceSettings) -> bool:
    """Whether this process counts at all."""
    return settings.prometheus_multiproc_dir is not None and settings.metrics_port != 0


def start(settings: ServiceSettings, registry: Any = None) -> "Metrics | None":
    """The counters of this process; None when it does not count. A process without children may count in memory, into a registry of
    prometheus_client."""
    global _set
    if _set is None and (wanted(settings) or (registry is not None and settings.metrics_port)):
        _set = Metrics(settings.pool, registry)
    return _set


def count_command(work: "Work", outcome: "Outcome") -> None:
    """Count how an outbox command ended, and why if not well; the observer of a chassis.work.Runner."""
    kind = type(outcome).__name__.lower()
    count(COMMANDS, work.queue, work.task, kind)
    reason = getattr(outcome, "reason", None)
    if kind == "park" and reason:
        count(PARKED, reason)
    elif kind == "retry" and reason:
        count(RETRIES, work.task, reason)
