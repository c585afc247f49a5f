"""What is counted is archived, and a recount names each counter that is not what the archive says."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from servers import wait_until

DAY_MS = 86_400_000


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
    before = rows(tmp_path)
    archived.wait_counted(12_011)
    wait_until(lambda: rows(tmp_path) > before, what="the repetition archived")
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
