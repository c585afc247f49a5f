"""The files in which the processes of a pool count, and what becomes of those of processes that are gone.

A child that is recycled leaves its files behind, and they hold counts that happened: they are added up into one and removed, or a
long-lived pool would read thousands at every scrape. A process may be killed, and a disk may be full, at any byte of a file. What cannot be
read costs its own counts and nobody else's: a file of the dead is set aside under another name, one of the living is left out until it can
be read, and a warning names each once.

Tasks that a process had begun and not ended when it died are counted with its other counts, once, whoever killed it: by its own file, so
also when the main process died with it or before it. Source: prometheus_client, "Multiprocess Mode".
"""

import contextlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chassis import metrics
from chassis.loggers import get_logger
from chassis.settings import ServiceSettings

log = get_logger(__name__)

_unreadable: set[str] = set()
"""Files that a warning has named."""

_killed: dict[int, tuple[str, str]] = {}
"""By the ids of processes that are about to be killed: the task at which, and why."""


def prepare(settings: ServiceSettings) -> None:
    """Take over the pool's folder: counts of a process before this one go on, so that a restart loses none, and its gauges do not. Once,
    before the first count, by a main process."""
    if settings.prometheus_multiproc_dir is None:
        return
    folder = settings.prometheus_multiproc_dir
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*folder.glob("gauge_*.db"), *folder.glob("*.db.unreadable")):
        file.unlink(missing_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    _finish_sums(folder)
    # In a container the main process has the same id again.
    reap(folder, predecessor=os.getpid())
    metrics.start(settings)
    metrics.count(metrics.STARTS)


def will_be_killed(pid: int, task: str, reason: str) -> None:
    """The process is about to be killed by its pool at this task, which is counted as killed by `reason` instead of `lost`."""
    _killed[pid] = task, reason


def reap(folder: Path, *, predecessor: int | None = None) -> int:
    """Add the counts of processes that are gone to one file, and remove theirs; how many processes. `predecessor` is the id of one that is
    gone although a process has it. Not for two threads at once."""
    gone = 0
    for file in sorted(folder.glob("*_*.db")):
        kind, _, owner = file.stem.rpartition("_")
        if not owner.isdigit() or (int(owner) != predecessor and _runs(int(owner))):
            continue
        if kind.startswith("gauge_live"):
            file.unlink()
        if kind not in ("counter", "histogram"):
            continue
        counts = read(file)
        if counts is None:
            _set_aside(file)
            continue
        if kind == "counter":
            counts.update(_with_killed(counts, _killed.get(int(owner))))
        try:
            _add(counts, file, folder / f"{kind}_0.db")
        except OSError as error:  # no room: the counts stay in the process's own file, which is read as well
            log.warning("metrics_not_added_up", file=str(file), error=repr(error))
            continue
        if kind == "counter":
            _killed.pop(int(owner), None)
        gone += 1
    return gone


def _with_killed(counts: Mapping[str, float], told: tuple[str, str] | None) -> dict[str, float]:
    """The counts that change because the process ends no more tasks: those that it had begun have failed, and were killed. The one at which
    it was killed on purpose (`told`) may have failed by itself before, of the signal to end."""
    begun: Counter[tuple[str, str]] = Counter()
    for key, value in counts.items():
        _, name, labels, _ = json.loads(key)
        if name in (f"{metrics.STARTED}_total", f"{metrics.TASKS}_total"):
            times = round(value) if name == f"{metrics.STARTED}_total" else -round(value)
            begun[labels["pool"], labels["task"]] += times
    task, reason = told or ("", "")
    changed: dict[str, float] = {}
    for (pool, name), times in begun.items():
        killed = max(times, 1) if name == task else times
        for counter, how, by in (
            (metrics.TASKS, "failed", times),
            (metrics.KILLED, reason if name == task else "lost", killed),
        ):
            key = metrics.key(counter, pool, name, how)
            if by > 0:
                changed[key] = counts.get(key, 0.0) + by
    return changed


def _add(counts: dict[str, float], file: Path, total_file: Path) -> None:
    """Add counts to the sum and remove the file that they are from, as one step: one that was broken off is finished, or undone, by
    `prepare`."""
    if total_file.exists() and read(total_file) is None:
        _set_aside(total_file)
    following = total_file.with_name(f"{total_file.name}.with.{file.name}")
    try:
        if total_file.exists():
            shutil.copyfile(total_file, following)
        total = _mapped(following)
        for key, value in counts.items():
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
        total.close()
    except OSError:
        following.unlink(missing_ok=True)
        raise
    file.unlink()
    following.replace(total_file)


def _finish_sums(folder: Path) -> None:
    """A sum is whole once the file that it was made with is removed."""
    for following in folder.glob("*_0.db.with.*"):
        total, _, added = following.name.partition(".with.")
        if (folder / added).exists():
            following.unlink()
        else:
            following.replace(folder / total)


def _mapped(file: Path) -> Any:
    from prometheus_client import mmap_dict

    files: Any = mmap_dict  # untyped
    return files.MmapedDict(str(file))


def read(file: Path) -> dict[str, float] | None:
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
