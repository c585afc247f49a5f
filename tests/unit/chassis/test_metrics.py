"""Counting: nothing without a port and a folder; the counts of the dead are kept, their files are not."""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from structlog.testing import capture_logs

from chassis import exposition, metric_files, metrics
from chassis.heartbeat import Heartbeat
from chassis.settings import ServiceSettings


def settings(**values: Any) -> ServiceSettings:
    return ServiceSettings(database_url="postgresql+psycopg://h/d", broker_url="amqp://h/v", **values)


@pytest.fixture
def dead() -> int:
    """The id of no process, as is the next one: Linux gives none above 2 ** 22, and that of a process which ended is soon another one's."""
    return 2**22 + 1


def write(folder: Path, name: str, value: float) -> None:
    file = MmapedDict(str(folder / name))
    file.write_value(mmap_key("c", "c_total", (), (), "help"), value, 0.0)
    file.close()


BROKEN = {
    "empty": b"",
    "shorter than its header": b"\x10\x00",
    "a header alone": b"\x00" * 8,
    "cut in an entry": (1000).to_bytes(4, "little") + b"\x00" * 4 + (900).to_bytes(4, "little") + b"[",
    "an entry longer than the file": (64).to_bytes(4, "little")
    + b"\x00" * 4
    + (5000).to_bytes(4, "little")
    + b"[" * 60,
    "not JSON": (40).to_bytes(4, "little") + b"\x00" * 4 + (4).to_bytes(4, "little") + b"nope" + b"\x00" * 24,
    "not text": (40).to_bytes(4, "little") + b"\x00" * 4 + (4).to_bytes(4, "little") + b"\xff" * 4 + b"\x00" * 24,
    "another JSON": (40).to_bytes(4, "little") + b"\x00" * 4 + (4).to_bytes(4, "little") + b"1234" + b"\x00" * 24,
}


@pytest.mark.parametrize("contents", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("kind", ["counter", "histogram"])
@pytest.mark.parametrize("whose", ["dead", "alive", "sum"])
def test_a_file_that_cannot_be_read_costs_its_own_counts_only(
    tmp_path: Path, dead: int, contents: bytes, kind: str, whose: str
) -> None:
    owner = {"dead": dead, "alive": os.getppid(), "sum": 0}[whose]
    write(tmp_path, f"counter_{os.getpid()}.db", 4)
    (tmp_path / f"{kind}_{owner}.db").write_bytes(contents)
    write(tmp_path, f"counter_{dead + 1 if whose == 'dead' else dead}.db", 2)
    told = settings(metrics_port=1, prometheus_multiproc_dir=tmp_path)
    with capture_logs() as logs:
        first, again = exposition.exposition(told), exposition.exposition(told)

    for shown in (first, again):
        assert [b"c_total 6.0"] == [line for line in shown.splitlines() if line.startswith(b"c_")]
    named = [line["file"] for line in logs if line["event"] == "metrics_file_unreadable"]
    assert named in ([], [str(tmp_path / f"{kind}_{owner}.db")])
    assert named or contents == BROKEN["a header alone"]


def counted(folder: Path) -> float:
    values = [MmapedDict.read_all_values_from_file(str(file)) for file in folder.glob("*.db")]
    return sum(value for file in values for _, value, _, _ in file)


@pytest.mark.parametrize(("port", "folder"), [(0, None), (0, "x"), (9100, None)])
def test_without_port_and_folder_nothing_is_counted(port: int, folder: str | None) -> None:
    told = settings(metrics_port=port, prometheus_multiproc_dir=folder)

    assert not metrics.wanted(told)
    assert metrics.start(told) is None


def test_the_dead_are_added_up_into_one_file(tmp_path: Path, dead: int) -> None:
    write(tmp_path, "counter_0.db", 1)
    write(tmp_path, f"counter_{dead}.db", 2)
    write(tmp_path, f"counter_{os.getpid()}.db", 4)

    assert metric_files.reap(tmp_path) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["counter_0.db", f"counter_{os.getpid()}.db"])
    assert counted(tmp_path) == 7


def test_reaping_twice_counts_once(tmp_path: Path, dead: int) -> None:
    write(tmp_path, f"counter_{dead}.db", 2)
    metric_files.reap(tmp_path)

    assert metric_files.reap(tmp_path) == 0
    assert counted(tmp_path) == 2


def test_a_gauge_of_the_living_goes_with_its_process_and_another_stays(tmp_path: Path, dead: int) -> None:
    write(tmp_path, f"gauge_livesum_{dead}.db", 2)
    write(tmp_path, f"gauge_max_{dead}.db", 2)

    assert metric_files.reap(tmp_path) == 0
    assert [f"gauge_max_{dead}.db"] == [file.name for file in tmp_path.iterdir()]


def tasks(folder: Path, name: str, *, started: float, ended: float, how: str = "succeeded") -> None:
    """The file of a process that began and ended so many tasks."""
    file = MmapedDict(str(folder / name))
    for key, value in (
        (metrics.key(metrics.STARTED, "till", "shop.note"), started),
        (metrics.key(metrics.TASKS, "till", "shop.note", how), ended),
    ):
        file.write_value(key, value, 0.0)
    file.close()


def outcomes(folder: Path) -> dict[str, float]:
    """By outcome, and by reason of a kill, how many tasks."""
    shown = exposition.exposition(settings(metrics_port=1, prometheus_multiproc_dir=folder)).decode()
    return {
        how: float(value)
        for how, value in re.findall(r'chassis_tasks\w*_total{.*?(?:outcome|reason)="(\w+)".*} (\S+)', shown)
    }


def test_a_task_that_a_dead_process_had_begun_has_failed_once(tmp_path: Path, dead: int) -> None:
    tasks(tmp_path, f"counter_{dead}.db", started=3, ended=2)
    tasks(tmp_path, f"counter_{dead + 1}.db", started=5, ended=5)
    first = outcomes(tmp_path)

    assert {"succeeded": 7, "failed": 1, "lost": 1} == first == outcomes(tmp_path)


def test_a_task_of_a_process_that_outlives_its_pool_is_counted_when_that_ends(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as orphan:
        tasks(tmp_path, f"counter_{orphan.pid}.db", started=3, ended=2)
        metric_files.reap(tmp_path, predecessor=os.getpid())
        at_work = outcomes(tmp_path)
        tasks(tmp_path, f"counter_{orphan.pid}.db", started=3, ended=3)
        orphan.kill()

    assert {"succeeded": 2} == at_work
    assert {"succeeded": 3} == outcomes(tmp_path)


@pytest.mark.parametrize("failed_by_itself", [False, True])
def test_a_process_that_was_killed_at_a_limit_says_so(tmp_path: Path, dead: int, failed_by_itself: bool) -> None:
    tasks(tmp_path, f"counter_{dead}.db", started=1, ended=1 if failed_by_itself else 0, how="failed")
    metric_files.will_be_killed(dead, "shop.note", "time_limit")

    assert {"failed": 1, "time_limit": 1} == outcomes(tmp_path)


def test_a_main_process_with_the_id_of_the_one_before_it_counts_what_that_left(tmp_path: Path) -> None:
    tasks(tmp_path, f"counter_{os.getpid()}.db", started=1, ended=0)
    metric_files.reap(tmp_path, predecessor=os.getpid())

    assert {"succeeded": 0, "failed": 1, "lost": 1} == outcomes(tmp_path)


@pytest.mark.parametrize("killed_before", ["unlink", "replace"])
def test_a_sum_that_was_broken_off_counts_each_file_once(
    tmp_path: Path, dead: int, killed_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException): ...

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    told = settings(metrics_port=1, prometheus_multiproc_dir=tmp_path)
    monkeypatch.setattr(metrics, "_set", None)
    write(tmp_path, "counter_0.db", 1)
    write(tmp_path, f"counter_{dead}.db", 2)
    with monkeypatch.context() as patched:
        patched.setattr(Path, killed_before, kill)
        with pytest.raises(Killed):
            metric_files.reap(tmp_path)

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    metric_files.prepare(told)
    assert 3 == counted(tmp_path)
    assert ["counter_0.db"] == [file.name for file in tmp_path.iterdir()]


def test_a_new_pool_goes_on_counting_and_forgets_gauges(
    tmp_path: Path, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.setattr(metrics, "_set", None)
    write(tmp_path, f"counter_{dead}.db", 2)
    write(tmp_path, f"gauge_livemostrecent_{os.getpid()}.db", 2)
    (tmp_path / f"counter_{dead + 1}.db").write_bytes(BROKEN["not JSON"])

    for _ in range(2):
        metric_files.prepare(settings(metrics_port=1, prometheus_multiproc_dir=tmp_path))

    assert ["counter_0.db"] == [file.name for file in tmp_path.iterdir()]
    assert counted(tmp_path) == 2
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")


def test_without_a_folder_there_is_nothing_to_say() -> None:
    assert exposition.exposition(settings()) == b""


def test_a_process_that_hangs_shows_how_long_its_loop_has_not_turned(tmp_path: Path) -> None:
    told = settings(metrics_port=1, heartbeat_file=tmp_path / "heartbeat", pool="till", service_version="v7")
    Heartbeat(told.heartbeat_file, "worker", clock=lambda: time.monotonic() - 40).show("busy", held=3)

    shown = exposition.exposition(told).decode()
    age = float(re.findall(r'chassis_heartbeat_age_seconds{pool="till"} (\S+)', shown)[0])

    assert 40 <= age < 70
    assert 'chassis_state_seconds{pool="till",state="busy"} ' in shown
    assert 'chassis_messages_held{pool="till"} 3.0' in shown
    assert 'chassis_build_info{pool="till",version="v7"} 1.0' in shown


@pytest.mark.parametrize("left", [None, b"", b"{"], ids=["no file", "an empty file", "half a file"])
def test_what_the_heartbeat_does_not_tell_is_absent_and_not_0(tmp_path: Path, left: bytes | None) -> None:
    if left is not None:
        (tmp_path / "heartbeat").write_bytes(left)

    assert b"heartbeat_age" not in exposition.exposition(
        settings(metrics_port=1, heartbeat_file=tmp_path / "heartbeat")
    )
