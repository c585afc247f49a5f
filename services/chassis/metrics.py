"""Counters of a pool, shared by its processes through files, answered by its main process (chassis.health) on `METRICS_PORT`.

Labels are the pool, the task and the outcome; never a host, a pod or a process, which would start a new series with every rollout.
Without a port and a folder nothing is imported and every call is a no-op. A child that is recycled leaves its files behind, and
they hold counts that happened: they are added up into one and removed, or a long-lived pool would read thousands at every scrape.
A process may be killed, and a disk may be full, at any byte of a file. What cannot be read costs its own counts and nobody else's: a file
of the dead is set aside under another name, one of the living is left out until it can be read, and a warning names each once.
Source: prometheus_client, "Multiprocess Mode".
"""

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chassis.loggers import get_logger
from chassis.settings import ServiceSettings

if TYPE_CHECKING:  # a worker's main process needs no database client
    from chassis.outbox import Outcome, Work

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

log = get_logger(__name__)

_set: "Metrics | None" = None

_unreadable: set[str] = set()
"""Files that a warning has named."""


class Metrics:
    """The counters of this process; made by `start`."""

    def __init__(self, pool: str) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        nowhere = CollectorRegistry()  # each process writes its files; only the collector reads them
        self._pool = pool
        self._tasks = Counter("chassis_tasks", "Tasks by how they ended", ("pool", "task", "outcome"), registry=nowhere)
        self._started = Counter("chassis_tasks_started", "Tasks begun", ("pool", "task"), registry=nowhere)
        self._commands = Counter(
            "chassis_commands", "Outbox commands by outcome", ("pool", "task", "outcome"), registry=nowhere
        )
        self._parked = Counter("chassis_parked", "Messages and commands parked", ("pool", "reason"), registry=nowhere)
        self._seconds = Histogram(
            "chassis_task_seconds", "How long tasks ran", ("pool", "task"), buckets=_SECONDS, registry=nowhere
        )

        self._clock = Gauge(
            "chassis_clock_offset_seconds",
            "How far the machine's clock is ahead of the database's",
            ("pool",),
            registry=nowhere,
            multiprocess_mode="livemostrecent",
        )

    def clock(self, offset_seconds: float) -> None:
        """The clock was compared with the database's."""
        self._clock.labels(self._pool).set(offset_seconds)

    def started(self, task: str) -> None:
        """A task began."""
        self._started.labels(self._pool, task).inc()

    def ended(self, task: str, outcome: str, seconds: float | None) -> None:
        """A task ended: `succeeded`, `failed`, `retried` or `skipped`; without seconds when it was killed."""
        self._tasks.labels(self._pool, task, outcome).inc()
        if seconds is not None:
            self._seconds.labels(self._pool, task).observe(seconds)

    def command(self, task: str, outcome: str) -> None:
        """An outbox command got an outcome: `done`, `retry` or `park`."""
        self._commands.labels(self._pool, task, outcome).inc()

    def parked(self, reason: str) -> None:
        """Something was parked."""
        self._parked.labels(self._pool, reason).inc()


def wanted(settings: ServiceSettings) -> bool:
    """Whether this process counts at all."""
    return settings.prometheus_multiproc_dir is not None and settings.metrics_port != 0


def prepare(settings: ServiceSettings) -> None:
    """Empty the pool's folder: counts of processes that are gone would come back as a jump. Once, before the first count."""
    if settings.prometheus_multiproc_dir is None:
        return
    folder = settings.prometheus_multiproc_dir
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*folder.glob("*.db"), *folder.glob("*.db.unreadable")):
        file.unlink(missing_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def start(settings: ServiceSettings) -> "Metrics | None":
    """The counters of this process; None when it does not count."""
    global _set
    if _set is None and wanted(settings):
        _set = Metrics(settings.pool)
    return _set


def current() -> "Metrics | None":
    """The counters, if `start` made any."""
    return _set


def count_command(work: "Work", outcome: "Outcome") -> None:
    """Count how an outbox command ended, and why it was parked if it was; the observer of a chassis.work.Runner."""
    if _set is not None:
        _set.command(work.task, type(outcome).__name__.lower())
        if (reason := getattr(outcome, "reason", None)) is not None:
            _set.parked(reason)


def reap(folder: Path) -> int:
    """Add the counts of processes that are gone to one file, and remove theirs; how many processes."""
    from prometheus_client import mmap_dict

    files: Any = mmap_dict  # untyped
    gone = 0
    for file in sorted(folder.glob("*_*.db")):
        kind, _, owner = file.stem.rpartition("_")
        if not owner.isdigit() or _runs(int(owner)):
            continue
        if kind.startswith("gauge_live"):
            file.unlink()
        if kind not in ("counter", "histogram"):
            continue
        counts = _counts(file)
        if counts is None:
            _set_aside(file)
            continue
        total_file = folder / f"{kind}_0.db"
        if total_file.exists() and _counts(total_file) is None:
            _set_aside(total_file)
        total = files.MmapedDict(str(total_file))
        for key, value in counts.items():
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
        total.close()
        file.unlink()
        gone += 1
    return gone


def _counts(file: Path) -> dict[str, float] | None:
    """By key, what a file of prometheus_client holds; None when it cannot be read, which is said once."""
    from prometheus_client import mmap_dict

    files: Any = mmap_dict  # untyped
    try:
        counts = {key: value for key, value, _, _ in files.MmapedDict.read_all_values_from_file(str(file))}
        for key in counts:
            _, _, labels, _ = json.loads(key)
            labels.items()
    except FileNotFoundError:  # a process that ended meanwhile took its live gauges along
        return None
    except Exception as error:  # noqa: BLE001 - in whatever way it is broken
        if str(file) not in _unreadable:
            _unreadable.add(str(file))
            log.warning("metrics_file_unreadable", file=str(file), error=repr(error))
        return None
    _unreadable.discard(str(file))
    return counts


def _set_aside(file: Path) -> None:
    """Out of the way of every scrape, and there for who wants to look; taken away with the folder's next pool."""
    with contextlib.suppress(OSError):
        file.rename(file.with_name(f"{file.name}.unreadable"))


def _runs(pid: int) -> bool:
    if pid == 0:  # the file that holds the sum
        return True
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def exposition(settings: ServiceSettings) -> bytes:
    """All counters of the pool in Prometheus' text format; empty when it does not count."""
    folder = settings.prometheus_multiproc_dir
    if folder is None or not folder.is_dir():
        return b""
    from prometheus_client import CollectorRegistry, generate_latest, multiprocess

    reap(folder)
    readable = [str(file) for file in sorted(folder.glob("*.db")) if _counts(file) is not None]
    registry = CollectorRegistry()
    collector: Any = multiprocess.MultiProcessCollector  # untyped

    class Readable:
        """What a scrape asks for the counts of every file that can be read."""

        def collect(self) -> Any:
            return collector.merge(readable)

    registry.register(Readable())
    return generate_latest(registry)
