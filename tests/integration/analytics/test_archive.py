"""What is counted is archived, and a recount names each counter that is not what the archive says."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from analytics.adapters.archive_files import ArchiveFiles
from analytics.domain.batch import Batch, columnise
from analytics.domain.events import Event, Timing
from analytics.domain.parts import Part, part_id
from servers import wait_until

DAY_MS = 86_400_000
SCALING = Path(__file__).parents[3] / "docs/scaling.md"


@pytest.fixture
def archived(analytics_on: Callable[..., Any], broker_url: str, tmp_path: Path) -> Any:
    """The service with an archive, once on each kind of broker."""
    return with_archive(analytics_on, broker_url, tmp_path)


def with_archive(analytics_on: Callable[..., Any], url: str, folder: Path, **environment: str) -> Any:
    settings = {"ARCHIVE_URL": f"file://{folder}/archive", "ARCHIVE_WINDOW_SECONDS": "0.5", "LATE_HOURS": "48"}
    return analytics_on(url, **{**settings, **environment})


def some_events(count: int, end_ms: int, *, seed: str = "a") -> list[dict[str, Any]]:
    """Events of the last ten minutes before `end_ms`."""
    return [
        {"id": f"{seed}-{i}", "user": f"u{i % 7}", "content": f"c{i % 5}", "kind": "like" if i % 3 else "view",
         "at_ms": end_ms - 1 - i % 10 * 60_000, "topics": ["sport"]}
        for i in range(count)
    ]  # fmt: skip


def rows(folder: Path) -> int:
    """Rows of all files, also those that are there twice."""
    return sum(pq.read_metadata(path).num_rows for path in folder.glob("archive/hour=*/*.parquet"))


def recount(service: Any, at_ms: int) -> tuple[int, dict[str, Any]]:
    """Exit code and document of the recount of the day of a time."""
    day = f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"
    done = subprocess.run(
        [sys.executable, "-m", "analytics.recount", "--day", day, "--json"],
        env=service.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def named(found: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {
        (each["counter"], each["key"], each["counted"], each["archived"], each["distinct"], each["cause"])
        for each in found["differences"]
    }


def test_archive_and_counters_agree_and_every_difference_is_named(archived: Any, tmp_path: Path, now: int) -> None:
    end = now // DAY_MS * DAY_MS  # the day that ended last
    archived.edge()
    archived.worker()
    archived.worker("archiver", queue="archive")
    events = some_events(12_000, end)

    for key in ("one", "one", "two"):  # a repeated request, and other events
        assert 200 == archived.send(events if key == "one" else some_events(10, end, seed="b"), key=key).status_code
    archived.wait_counted(12_010)
    wait_until(lambda: rows(tmp_path) >= 12_010, what=f"archived\n{archived.log('archiver.log')}")
    exact = recount(archived, end - 1)

    with archived.store() as client:  # a counter that lost one, and one that nothing was counted for
        minute = (end - 1) // 60_000
        client.hincrby(f"{{0}}:c:view:{minute}", "c0", -1)
        client.hset(f"{{0}}:u:{minute // 60}", "nobody", 3)
    again = some_events(1, end)  # an event that is sent again under another key
    assert 200 == archived.send(again, key="three").status_code
    archived.wait_counted(12_011)
    wait_until(lambda: recount(archived, end - 1)[1]["archived"] == 12_011, what="the repetition archived")
    code, found = recount(archived, end - 1)

    assert (0, True, 12_010, 12_010, 12_010) == (
        exact[0], exact[1]["exact"], exact[1]["archived"], exact[1]["distinct"], exact[1]["counted"]
    )  # fmt: skip
    last = [e for e in events + some_events(10, end, seed="b") if e["at_ms"] // 60_000 == minute]
    views = sum(e["kind"] == "view" for e in last)
    of_content = sum(e["kind"] == "view" and e["content"] == "c0" for e in last)
    of_user = sum(e["user"] == "u0" for e in events + some_events(10, end, seed="b"))
    assert 1 == code
    assert named(found) == {
        ("content", "view c0", of_content, of_content + 1, of_content, "missing in the counters"),
        ("user", "nobody", 3, 0, 0, "missing in the archive"),
        ("total", "view", views + 1, views + 1, views, "sent again under another key"),
        ("user", "u0", of_user + 1, of_user + 1, of_user, "sent again under another key"),
    }


def test_an_archiver_that_is_killed_loses_and_doubles_nothing(
    analytics_on: Callable[..., Any], rabbitmq_url: str, tmp_path: Path, now: int
) -> None:
    # Files of two batches, so that many are written and any death leaves some on the way.
    service = with_archive(analytics_on, rabbitmq_url, tmp_path, ARCHIVE_PREFETCH_BATCHES="4", BATCH_LINGER_MS="0")
    end = now // DAY_MS * DAY_MS
    service.edge()
    service.worker()
    for number in range(40):
        assert 200 == service.send(some_events(500, end, seed=str(number))).status_code
    service.wait_counted(20_000)

    for death in range(3):
        before = rows(tmp_path)
        archiver = service.worker(f"archiver-{death}", queue="archive", ready=False)
        wait_until(lambda: rows(tmp_path) > before, what=service.log(f"archiver-{death}.log"))  # noqa: B023
        os.killpg(archiver.pid, signal.SIGKILL)
        archiver.wait()
    service.worker("archiver", queue="archive")
    wait_until(lambda: recount(service, end - 1)[1]["exact"], what="the recount is exact", seconds=30)

    assert [] == service.parked()


DIES_AFTER_A_POP = """
import os, signal, sys
from chassis import valkey_transport

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

valkey_transport.QoS.append = die  # what records a message that was popped
from celery.__main__ import main
main()
"""


def test_the_recount_names_a_batch_that_valkey_as_broker_lost(
    analytics_on: Callable[..., Any], redis_url: str, tmp_path: Path, now: int
) -> None:
    """kombu pops a message from its list and then records it; a worker that is killed in between takes the batch along."""
    service = with_archive(analytics_on, redis_url, tmp_path)
    end = now // DAY_MS * DAY_MS
    service.edge()
    lost, kept = some_events(100, end), some_events(30, end, seed="b")
    assert 200 == service.send(lost).status_code
    (tmp_path / "dies_after_a_pop.py").write_text(DIES_AFTER_A_POP)
    python_path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    killed = service.start(
        "dies_after_a_pop", "--app", "analytics.app", "worker", "--queues", "analytics.aggregate", "--pool", "solo",
        "--concurrency", "1", "--without-gossip", "--without-mingle", "--prefetch-multiplier", "1", "--time-limit", "20",
        "--soft-time-limit", "10", log="killed.log", HEARTBEAT_FILE=str(tmp_path / "killed"), PYTHONPATH=python_path,
    )  # fmt: skip
    assert -signal.SIGKILL == killed.wait(30), service.log("killed.log")

    service.worker()
    service.worker("archiver", queue="archive")
    assert 200 == service.send(kept).status_code
    service.wait_counted(len(kept))
    wait_until(lambda: rows(tmp_path) >= len(lost) + len(kept), what=service.log("archiver.log"))
    code, found = recount(service, end - 1)

    assert (1, len(kept), len(lost) + len(kept)) == (code, found["counted"], found["archived"])
    assert {"missing in the counters"} == {each["cause"] for each in found["differences"]}
    missing = Counter(
        each["key"] for each in found["differences"] for _ in range(each["archived"] - each["counted"])
        if each["counter"] == "user"
    )  # fmt: skip
    assert Counter(event["user"] for event in lost) == missing


def test_a_full_disk_is_a_wait(analytics_on: Callable[..., Any], rabbitmq_url: str, tmp_path: Path, now: int) -> None:
    service = with_archive(analytics_on, rabbitmq_url, tmp_path)
    (tmp_path / "archive").write_text("no folder")
    end = now // DAY_MS * DAY_MS
    service.edge()
    service.worker()
    service.worker("archiver", queue="archive")
    assert 200 == service.send(some_events(100, end)).status_code

    wait_until(lambda: service.state("archiver") == "stalled", what=service.log("archiver.log"))
    service.wait_counted(100)  # the counters do not wait for the archive
    (tmp_path / "archive").unlink()
    wait_until(lambda: recount(service, end - 1)[1]["exact"], what="the recount is exact", seconds=30)

    assert [] == service.parked()


def test_the_query_of_the_documentation_counts_each_part_once(tmp_path: Path, now: int, monkeypatch: Any) -> None:
    sql = re.findall(r"```sql\n(.*?)```", SCALING.read_text(), re.DOTALL)
    files = ArchiveFiles(tmp_path.as_uri())
    events = [Event(f"e{number}", "u", "c", "like", now) for number in range(5)]
    one, other = (Part(part_id("web", key, 0), events) for key in "ab")

    def batch(parts: list[Part], timing: Timing) -> Batch:
        return columnise(parts, now, lambda _: timing)

    files.write([files.rows(batch([one], Timing.ON_TIME))])
    files.write([files.rows(batch([one, other], Timing.ON_TIME))])  # the first part was delivered twice
    files.write([files.rows(batch([Part(part_id("web", "c", 0), events)], Timing.BACKFILLED))])
    files.write([files.rows(batch([Part(part_id("web", "d", 0), events)], Timing.LATE))])
    monkeypatch.chdir(tmp_path)

    assert 4 == len([*tmp_path.glob("**/*.parquet")])
    assert [[("like", 15)]] == [duckdb.sql(each).fetchall() for each in sql]
