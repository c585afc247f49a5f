"""`POST /backfill`: events of any age, at a rate of its own, counted where their counters are kept, archived and recounted."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq

from servers import wait_until

MINUTE_MS, DAY_MS = 60_000, 86_400_000


def send(service: Any, events: list[dict[str, Any]], key: str, path: str = "/backfill") -> httpx.Response:
    headers = {"Authorization": "Bearer web-token", "Idempotency-Key": key, "Content-Type": "application/json"}
    return httpx.post(f"http://127.0.0.1:{service.port}{path}", content=json.dumps(events), headers=headers, timeout=30)


def made(count: int, at_ms: int, name: str) -> list[dict[str, Any]]:
    return [
        {"id": f"{name}{i}", "user": f"u{i}", "content": name, "kind": "view", "at_ms": at_ms} for i in range(count)
    ]


def test_events_of_any_age_are_counted_once_and_recounted(
    analytics_on: Callable[..., Any], rabbitmq_url: str, tmp_path: Path, now: int
) -> None:
    archive = {"ARCHIVE_URL": f"file://{tmp_path}/archive", "ARCHIVE_WINDOW_SECONDS": "0.5"}
    service = analytics_on(rabbitmq_url, **archive)
    service.edge()
    service.worker()
    service.worker("archiver", queue="archive")
    yesterday = now // DAY_MS * DAY_MS - MINUTE_MS
    aged = made(3, yesterday, "yesterday") + made(4, now - 9 * DAY_MS, "week") + made(5, now - 4000 * DAY_MS, "decade")
    aged += [{**made(1, yesterday, "bot")[0], "bot": True}, *made(2, now + DAY_MS, "tomorrow")]

    for _ in range(2):
        assert 15 == send(service, aged, "same").json()["accepted"]
    assert (
        15 == send(service, aged, "same", "/events").json()["accepted"]
    )  # a part is one of its client and key, whatever the door
    service.wait_counted(15)
    wait_until(lambda: service.state() == "idle", what="an idle aggregator")
    wait_until(lambda: sum(map(rows_of, tmp_path.glob("archive/backfill/*/*.parquet"))) >= 15, what="the archive")
    counters = service.counters_now()
    day = f"{datetime.fromtimestamp(yesterday / 1000, UTC):%Y-%m-%d}"
    recount = subprocess.run(
        [sys.executable, "-m", "analytics.recount", "--day", day, "--json"],
        env=service.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 15 == service.counted()
    assert {"yesterday": 3, "week": 4, "decade": 5} == counters["ct:view"]
    assert {"flagged:view": 1, "future:view": 2} == counters["apart"]
    # By minute and hour only where these are kept: an older minute would have the backfilled events alone.
    assert {f"c:view:{yesterday // MINUTE_MS}": {"yesterday": 3}} == {
        key: counts for key, counts in counters.items() if key.startswith("c:")
    }
    hours = {yesterday // 3_600_000: 3, (now - 9 * DAY_MS) // 3_600_000: 4}
    assert hours == {int(key[2:]): sum(counts.values()) for key, counts in counters.items() if key.startswith("u:")}
    found = json.loads(recount.stdout)
    assert (0, True, 3, 3) == (recount.returncode, found["exact"], found["archived"], found["counted"])


def rows_of(path: Path) -> int:
    rows: int = pq.read_metadata(path).num_rows
    return rows


def test_a_backfill_that_is_too_fast_is_told_when_to_come_again_and_the_present_is_not(
    rabbit_analytics: Any, now: int
) -> None:
    service = rabbit_analytics
    service.edge(BACKFILL_EVENTS_PER_SECOND="10")

    first, second = send(service, made(600, now, "c"), "one"), send(service, made(1, now, "c"), "two")
    present = send(service, made(600, now, "c"), "three", "/events")

    assert (200, 429, 200) == (first.status_code, second.status_code, present.status_code)
    assert 50 <= int(second.headers["retry-after"]) <= 60
