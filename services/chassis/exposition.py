"""What a process answers to a scrape: the counts of its pool's files, and what its heartbeat says.

A child that is recycled leaves its files behind, and they hold counts that happened: they are added up into one and removed, or a
long-lived pool would read thousands at every scrape. A process may be killed, and a disk may be full, at any byte of a file. What cannot be
read costs its own counts and nobody else's: a file of the dead is set aside under another name, one of the living is left out until it can
be read, and a warning names each once. A scrape is answered by a thread, so an age grows while the loop hangs.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chassis.loggers import get_logger
from chassis.settings import ServiceSettings

log = get_logger(__name__)

_unreadable: set[str] = set()
"""Files that a warning has named."""

_STARTED_AT = time.time()


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


def counts(folder: Path) -> Iterator[tuple[str, dict[str, str], float]]:
    """Name, labels and value of each counter in every file that can be read."""
    for file in sorted(folder.glob("counter_*.db")):
        for key, value in (_counts(file) or {}).items():
            _, name, labels, _ = json.loads(key)
            yield name, labels, value


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
        reap(self._folder)
        readable = [str(file) for file in sorted(self._folder.glob("*.db")) if _counts(file) is not None]
        return collector.merge(readable)


class _Process:
    """What the process is, and what its loop last wrote into the heartbeat. Without a heartbeat there is no age, never an age of 0."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        pool = self._settings.pool

        def gauge(name: str, text: str, value: float, **labels: str) -> Any:
            family = GaugeMetricFamily(f"chassis_{name}", text, labels=("pool", *labels))
            family.add_metric((pool, *labels.values()), value)
            return family

        version = self._settings.service_version
        yield gauge("build_info", "What runs; always 1", 1.0, version=version)
        yield gauge("start_timestamp_seconds", "When the main process started, in unix time", _STARTED_AT)
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
