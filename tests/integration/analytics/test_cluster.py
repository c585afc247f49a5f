"""The counters in shards on the nodes of a real cluster: load on each, reads of all, and what a dead node costs."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import redis

from analytics.adapters.archive_files import ArchiveFiles
from analytics.adapters.archive_query import ArchiveQuery
from analytics.adapters.counter_reader import RedisCounterReader
from analytics.adapters.counter_snapshot import CounterSnapshot
from analytics.adapters.counter_store import FUNCTION, RedisCounterStore
from analytics.adapters.engagement_store import RedisEngagementStore
from analytics.adapters.erasing import CounterErasure
from analytics.adapters.store_clients import StoreAddress
from analytics.adapters.trend_board import RedisTrendBoard
from analytics.domain.batch import Batch, columnise
from analytics.domain.counting import Growth, count
from analytics.domain.events import Event, Timing
from analytics.domain.parts import Part, part_id
from analytics.ports.counters import StoreUnavailable
from analytics.ports.trends import TrendReport
from analytics.usecases.recommendations import Recommender
from analytics.usecases.recount import Recount, Recounted
from chassis.errors import Transient
from conductor.capstones.analytics import counters
from conductor.errors import StoreUnreachable
from servers import Valkey, ValkeyCluster, wait_until

if TYPE_CHECKING:
    from integration.analytics.conftest import Analytics
else:
    Analytics = Any

SHARDS = 3
MINUTE = int(time.time()) // 60
EVENTS = 10


def batch(key: str, user: str = "u") -> Batch:
    made = [Event(f"{key}-{index}", user, "c", "view", MINUTE * 60_000) for index in range(EVENTS)]
    return columnise([Part(part_id("web", key, 0), made)], MINUTE * 60_000, lambda _: Timing.ON_TIME)


def growth(key: str, user: str = "u") -> Growth:
    return count([batch(key, user)])


class Stores:
    """The writers of all shards, and the readers, on one cluster."""

    def __init__(self, cluster: ValkeyCluster, replicas: int = 0) -> None:
        self.address = StoreAddress(cluster.url(), SHARDS, 2.0)
        self.client = self.address.client()
        self.shards = [
            RedisCounterStore(
                self.client, shard, replicas=replicas, replicas_seconds=0.3,
                minute_seconds=7200, hour_seconds=72_000, dedup_ms=3_600_000,
            )
            for shard in self.address.every_shard
        ]  # fmt: skip
        self.snapshot = CounterSnapshot(self.address.client(decode_responses=True), self.address.every_shard)

    def ask(self, question: Callable[[RedisCounterReader], Coroutine[Any, Any, Any]]) -> Any:
        async def asked() -> Any:
            reader = RedisCounterReader(self.address.async_client(), self.address.every_shard)
            try:
                return await question(reader)
            finally:
                await reader.close()

        return asyncio.run(asked())

    def fails(self, shard: int) -> bool:
        try:
            self.shards[shard].ping()
        except Transient:
            return True
        return False


def calls(node: Any) -> int:
    """Flushes that a node carried out."""
    with redis.Redis.from_url(node.url(0)) as client:
        told: Any = client.info("commandstats")
    fcall = told["cmdstat_fcall"]
    return int(fcall["calls"] - fcall["failed_calls"])


def functions(node: Any) -> bool:
    with redis.Redis.from_url(node.url(0)) as client:
        return FUNCTION in str(client.function_list())


def test_load_and_function_are_on_each_node_and_reads_merge_all_shards(cluster: ValkeyCluster) -> None:
    stores = Stores(cluster)

    for number, shard in enumerate(stores.shards):
        for flush in range(4):
            assert frozenset() == shard.add(growth(f"{number}-{flush}", f"u{number}"))
        assert growth(f"{number}-0").parts == list(shard.add(growth(f"{number}-0")))

    assert [5, 5, 5] == [calls(node) for node in cluster.nodes]
    assert all(functions(node) for node in cluster.nodes)
    minutes, hours, events = range(MINUTE, MINUTE + 1), range(MINUTE // 60, MINUTE // 60 + 1), 4 * EVENTS * SHARDS
    assert {"view": {MINUTE: events}} == stores.ask(lambda reader: reader.content("c", minutes))
    assert {"view": events} == stores.ask(lambda reader: reader.content_totals("c"))
    assert {"c": {"view": events}} == stores.ask(lambda reader: reader.contents(["c", "d"], minutes))
    assert {MINUTE // 60: 4 * EVENTS} == stores.ask(lambda reader: reader.user("u1", hours))
    assert {"view": {MINUTE: events}} == stores.ask(lambda reader: reader.totals(hours))
    assert {("view", "c"): events} == stores.snapshot.contents(MINUTE)
    assert dict.fromkeys(("u0", "u1", "u2"), 4 * EVENTS) == stores.snapshot.users(MINUTE // 60)
    now_ms, flushes = stores.ask(lambda reader: reader.flushes(0))
    assert [EVENTS] * 4 * SHARDS == [flush.counts["events"] for flush in flushes]
    assert abs(now_ms - time.time() * 1000) < 5000

    assert {"counters": 1} == CounterErasure(stores.client, stores.address.every_shard).erase("u2")
    assert {} == stores.ask(lambda reader: reader.user("u2", hours))


def test_a_batch_that_waits_makes_all_of_it_as_old_as_its_shard(cluster: ValkeyCluster) -> None:
    stores = Stores(cluster)
    for number, shard in enumerate(stores.shards):
        shard.add(growth(f"{number}"))
    published_ms = MINUTE * 60_000
    before = stores.ask(lambda reader: reader.freshness())
    stores.ask(lambda reader: reader.accepted(published_ms + 500, 1))
    later = growth("later")
    later.published_ms = published_ms + 900
    stores.shards[0].add(later)
    behind = stores.ask(lambda reader: reader.freshness())

    assert (published_ms, 0, 3 * EVENTS) == (before.published_ms, before.accepted_ms, before.events)
    assert (published_ms, published_ms + 500) == (behind.published_ms, behind.accepted_ms)


def test_trends_and_recommendations_are_kept_on_a_cluster(cluster: ValkeyCluster) -> None:
    address = StoreAddress(cluster.url(), SHARDS, 2.0)
    board = RedisTrendBoard(address.client())
    board.report("a", TrendReport(1, {}))
    engagements = RedisEngagementStore(address.client(decode_responses=True), kept_seconds=1000)
    engagements.note({"u1": ["c1", "c2"], "u2": ["c1"]})
    recommender = Recommender(engagements, chunk=10, chunks=1, queued=1)
    recommender.learn(["u1", "u2"])

    assert board.save("a", {"contents": b"x", "topics": b"y"})
    assert board.save("b", {"contents": b"z", "topics": b"y"}, instead_of="a")
    assert not board.owns("a")
    assert ["b"] == board.dead(since_ms=2, but="a")
    assert ["c1", "c2"] == sorted(engagements.histories(["u1"])["u1"])
    kept, *_ = Stores(cluster).ask(lambda reader: reader.recommended("u2"))
    assert ["c2"] == kept


def test_a_dead_node_stops_its_shard_alone(cluster: ValkeyCluster) -> None:
    stores = Stores(cluster)
    for number, shard in enumerate(stores.shards):
        shard.add(growth(f"{number}"))
    cluster.nodes[1].kill()

    with pytest.raises(Transient):
        stores.shards[1].add(growth("1-later"))
    # By the default of a cluster all would refuse, as soon as the nodes have noticed.
    wait_until(lambda: not cluster.healthy(0) and not cluster.healthy(2), what="the others to notice")
    for number in (0, 2):
        assert frozenset() == stores.shards[number].add(growth(f"{number}-later"))
    with pytest.raises(StoreUnavailable):
        stores.ask(lambda reader: reader.content_totals("c"))

    cluster.nodes[1].start()
    wait_until(lambda: not stores.fails(1), what="the shard to answer")
    stores.shards[1].add(growth("1-later"))
    assert {"view": 6 * EVENTS} == stores.ask(lambda reader: reader.content_totals("c"))


def test_what_a_failover_loses_is_prevented_or_named_by_the_recount(
    replicated_cluster: ValkeyCluster, tmp_path: Path
) -> None:
    cluster = replicated_cluster
    kept, lost = Stores(cluster, replicas=1).shards[0], Stores(cluster).shards[1]
    kept.add(growth("first"))
    lost.add(growth("first of the other shard"))

    # Each flush is made while the replica is away, and only then its primary dies.
    cluster.nodes[3].kill()
    with pytest.raises(Transient, match="0 of 1 replicas"):
        kept.add(growth("kept"))
    cluster.nodes[3].start()
    wait_until(lambda: taken(kept, "kept"), what="the replica to have the flush")
    cluster.nodes[0].kill()
    wait_until(lambda: not Stores(cluster).fails(0), what="the replica to take over")
    cluster.nodes[4].kill()
    lost.add(growth("lost"))
    cluster.nodes[1].kill()
    cluster.nodes[4].start()
    wait_until(lambda: not Stores(cluster).fails(1), what="the other replica to take over")

    assert all(map(functions, cluster.nodes[3:]))
    stores = Stores(cluster)
    recount = recount_of(stores, tmp_path, "first", "first of the other shard", "kept", "lost")
    found = recount()
    missing = {(one.counter, one.cause, one.archived - one.counted) for one in found.differences}
    assert {(name, "missing in the counters", EVENTS) for name in ("total", "content", "user")} == missing
    assert growth("kept").parts == list(stores.shards[0].add(growth("kept")))
    assert frozenset() == stores.shards[1].add(growth("lost"))
    assert recount().exact
    # The judge knows the first nodes only, two of which come back as replicas.
    for node in cluster.nodes[:2]:
        node.start()
    wait_until(lambda: judged(cluster.nodes[:SHARDS]) == 4 * EVENTS, what="what the judge reads")


def judged(nodes: Sequence[Valkey]) -> int:
    """Events that the verdict of a drill would find in these nodes; 0 while one does not answer."""
    access = SimpleNamespace(addresses=lambda: {"counters": ",".join(node.url(0) for node in nodes)})
    try:
        return sum(counters.read(access, ["t:"])["t:view:" + str(MINUTE // 60)].values())
    except (StoreUnreachable, KeyError):
        return 0


def taken(shard: RedisCounterStore, key: str) -> bool:
    try:
        return growth(key).parts == list(shard.add(growth(key)))
    except Transient:
        return False


def recount_of(stores: Stores, folder: Path, *keys: str) -> Callable[[], Recounted]:
    """Recounts today with an archive of what `growth` makes of these keys."""
    files = ArchiveFiles(folder.as_uri())
    files.write([files.rows(batch(key)) for key in keys])
    archive = ArchiveQuery(files, late_ms=86_400_000, future_ms=300_000)
    recount = Recount(archive, stores.snapshot, clock_ms=lambda: MINUTE * 60_000, minute_hours=48, hour_days=90)
    return lambda: recount.day(datetime.fromtimestamp(MINUTE * 60, UTC).date())
