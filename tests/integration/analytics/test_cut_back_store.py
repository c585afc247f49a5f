"""The store of the counters comes back from an older point of its append-only file, as after a disk that only said it had synced."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from analytics.adapters.archive_files import ArchiveFiles
from analytics.adapters.archive_query import ArchiveQuery
from analytics.adapters.counter_snapshot import CounterSnapshot
from analytics.adapters.counter_store import RedisCounterStore
from analytics.adapters.store_clients import StoreAddress
from analytics.domain.batch import Batch, columnise
from analytics.domain.counting import count
from analytics.domain.events import Event, Timing
from analytics.domain.parts import Part, part_id
from analytics.usecases.recount import Recount, Recounted
from servers import Valkey

MINUTE = int(time.time()) // 60
EVENTS = 10


def batch(key: str) -> Batch:
    made = [Event(f"{key}-{index}", key, "c", "view", MINUTE * 60_000) for index in range(EVENTS)]
    return columnise([Part(part_id("web", key, 0), made)], MINUTE * 60_000, lambda _: Timing.ON_TIME)


def writer(address: StoreAddress) -> RedisCounterStore:
    (shard,) = address.every_shard
    return RedisCounterStore(
        address.client(), shard, minute_seconds=7200, hour_seconds=72_000, dedup_ms=3_600_000
    )  # fmt: skip


def recounted(address: StoreAddress, folder: Path) -> Recounted:
    archive = ArchiveQuery(ArchiveFiles(folder.as_uri()), late_ms=86_400_000, future_ms=300_000)
    snapshot = CounterSnapshot(address.client(decode_responses=True), address.every_shard)
    recount = Recount(archive, snapshot, clock_ms=lambda: MINUTE * 60_000, minute_hours=48, hour_days=90)
    return recount.day(datetime.fromtimestamp(MINUTE * 60, UTC).date())


def test_what_the_file_lost_is_named_by_the_recount_and_counts_once_when_it_comes_again(
    counters: Valkey, tmp_path: Path
) -> None:
    address = StoreAddress(counters.url(0))
    store = writer(address)
    store.add(count([batch("kept")]))
    # Looked for after an answer, because a server listens before it has made the file.
    (log,) = (counters.directory / "appendonlydir").glob("*.incr.aof")
    synced = log.stat().st_size
    store.add(count([batch("lost")]))
    files = ArchiveFiles(tmp_path.as_uri())
    files.write([files.rows(batch(key)) for key in ("kept", "lost")])
    exact = recounted(address, tmp_path)

    counters.kill()
    os.truncate(log, synced)
    counters.start()
    found = recounted(address, tmp_path)
    again = writer(address)

    assert (True, 2 * EVENTS, EVENTS) == (exact.exact, exact.counted, found.counted)
    assert {
        ("total", "view", "missing in the counters", EVENTS),
        ("content", "view c", "missing in the counters", EVENTS),
        ("user", "lost", "missing in the counters", EVENTS),
    } == {(one.counter, one.key, one.cause, one.archived - one.counted) for one in found.differences}
    assert frozenset(batch("kept").parts) == again.add(count([batch("kept")]))
    assert frozenset() == again.add(count([batch("lost")]))
    assert recounted(address, tmp_path).exact
