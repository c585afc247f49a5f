"""What a process answers to a scrape: the counts of its pool's files (chassis.metric_files), and what its heartbeat says.

A scrape is answered by a thread, so an age grows while the loop hangs.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chassis import metric_files, resources
from chassis.settings import ServiceSettings

_STARTED_AT = time.time()


def exposition(settings: ServiceSettings, registry: Any = None) -> bytes:
    """All metrics of the process and its pool in Prometheus' text format; empty without a port. `registry` is one that counts in memory."""
    if not settings.metrics_port:
        return b""
    from prometheus_client import CollectorRegistry, generate_latest

    answered = CollectorRegistry()
    answered.register(_Process(settings))
    folder = settings.prometheus_multiproc_dir
    if folder is not None and folder.is_dir():
        answered.register(_Pool(folder))
    return generate_latest(answered) + (b"" if registry is None else generate_latest(registry))


class _Pool:
    """The counts of every file that can be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Any:
        from prometheus_client import multiprocess

        collector: Any = multiprocess.MultiProcessCollector  # untyped
        metric_files.reap(self._folder)
        readable = [str(file) for file in sorted(self._folder.glob("*.db")) if metric_files.read(file) is not None]
        return collector.merge(readable)


class _Process:
    """What the process is, and what its loop last wrote into the heartbeat. Without a heartbeat there is no age, never an age of 0."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        pool = self._settings.pool

        def gauge(name: str, text: str, value: float, **labels: str) -> Any:
            family = GaugeMetricFamily(f"chassis_{name}", text, labels=("pool", *labels))
            family.add_metric((pool, *labels.values()), value)
            return family

        version = self._settings.service_version
        yield gauge("build_info", "What runs; always 1", 1.0, version=version)
        yield gauge("start_timestamp_seconds", "When the main process started, in unix time", _STARTED_AT)
        used = resources.usage(self._settings.memory_limit_bytes)
        if used.memory_bytes is not None:
            yield gauge("memory_bytes", "Memory in use by the process and its children", used.memory_bytes)
        if used.limit_bytes is not None:
            yield gauge("memory_limit_bytes", "The most memory that they may use", used.limit_bytes)
        if used.cpu_seconds is not None:
            seconds = CounterMetricFamily(
                "chassis_cpu_seconds", "CPU time of the process and its children", labels=("pool",)
            )
            seconds.add_metric((pool,), used.cpu_seconds)
            yield seconds
        record = _heartbeat(self._settings.heartbeat_file)
        if record is None:
            return
        now = time.monotonic()
        yield gauge("heartbeat_age_seconds", "Since the loop last turned", max(0.0, now - record["ticked"]))
        state = str(record["state"])
        yield gauge(
            "state_seconds", "How long the process has been in this state", max(0.0, now - record["since"]), state=state
        )
        if record["role"] == "worker":
            yield gauge("messages_held", "Messages that are not acknowledged", record["held"])


def _heartbeat(file: Path | None) -> Any:
    """What was written last; None when there is nothing, or nothing that can be read."""
    try:
        return None if file is None else json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
