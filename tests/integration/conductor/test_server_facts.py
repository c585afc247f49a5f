"""What the exporter says of PostgreSQL and of stores, on real ones: connections, standbys, memory, and keys that were thrown away."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from conductor.chassis_gauges import SERVER
from conductor.exporter import Exporter, Machine
from conductor.observability import comparison
from conductor.observability.registry import load
from server_fixtures import own_cluster, own_valkey, postgres_pair
from servers import Postgres, Valkey, wait_until

CAPSTONE: Any = SimpleNamespace(name="orders", gauges=SERVER)
LIMIT = 8 << 20
UNREACHABLE = "redis://127.0.0.1:1/0"


def shown(url: str, **stores: str) -> dict[tuple[str, ...], float]:
    """The value of each series by its metric and its labels other than the capstone; each is in the registry."""
    registry = CollectorRegistry()
    registry.register(Exporter(CAPSTONE, url.replace("+psycopg", ""), Machine(stores)))
    text = generate_latest(registry).decode()
    assert [] == comparison.undeclared(load(), [text])
    return {
        (sample.name, *(value for label, value in sorted(sample.labels.items()) if label != "capstone")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_connections_of_all_logins_are_counted_by_one_that_may_see_nothing_of_them(
    postgres: Postgres, database_url: str
) -> None:
    postgres.execute("CREATE ROLE stranger LOGIN PASSWORD 'word'")
    postgres.execute(f"GRANT CONNECT ON DATABASE {database_url.rpartition('/')[2]} TO stranger")
    host = f"postgresql://stranger:word@127.0.0.1:{postgres.port}/{database_url.rpartition('/')[2]}"
    name = ("chassis_database_connections",)
    try:
        before = shown(host)
        with contextlib.ExitStack() as opened:
            for _ in range(7):
                opened.enter_context(postgres.connection())
            # Sessions of earlier tests may end meanwhile.
            assert before[name] < shown(host)[name] <= before[name] + 7
            assert 200 - 3 == before["chassis_database_connections_limit",]
    finally:
        wait_until(lambda: not sessions(postgres), what="the end of the stranger's sessions")
        postgres.execute(f"REVOKE CONNECT ON DATABASE {database_url.rpartition('/')[2]} FROM stranger")
        postgres.execute("DROP ROLE stranger")


def sessions(postgres: Postgres) -> list[Any]:
    with postgres.connection() as connection:
        found: list[Any] = connection.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'stranger'").fetchall()
        return found


@pytest.fixture
def pair() -> Iterator[tuple[Postgres, Postgres]]:
    """A primary and a standby that follows it."""
    with postgres_pair() as both:
        yield both


def test_a_standby_that_replays_nothing_falls_behind_and_catches_up(pair: tuple[Postgres, Postgres]) -> None:
    primary, standby = pair

    def behind() -> float | None:
        return shown(primary.url("postgres")).get(("chassis_standby_behind_bytes", "walreceiver"))

    wait_until(lambda: behind() == 0, what="a standby that has everything")
    standby.execute("SELECT pg_wal_replay_pause()")
    primary.execute("CREATE TABLE filled AS SELECT n FROM generate_series(1, 10000) n")
    wait_until(lambda: (behind() or 0) > 100_000, what="a standby that is behind")
    standby.execute("SELECT pg_wal_replay_resume()")
    wait_until(lambda: behind() == 0, what="a standby that has caught up")

    # One that has no standby itself, and is one.
    assert "chassis_standby_behind_bytes" not in {name for name, *_ in shown(standby.url("postgres"))}
    assert 1.0 == shown(standby.url("postgres"))["chassis_database_up",]


def fill(url: str, megabytes: int) -> None:
    with redis.Redis.from_url(url) as client:
        for n in range(megabytes * 10):
            client.set(f"filled-{n}", b"x" * 100_000)


def test_a_store_tells_how_full_it_is_and_what_it_threw_away(postgres: Postgres) -> None:
    database = postgres.url("postgres")
    with own_valkey(f"maxmemory {LIMIT}\nmaxmemory-policy allkeys-lru\n") as limited, own_valkey() as boundless:
        stores = {"store": boundless.url(0), "counters": limited.url(0)}
        before = shown(database, **stores)
        fill(limited.url(0), 20)
        fill(boundless.url(0), 20)
        after = shown(database, **stores)

    used, limit, gone = (
        f"chassis_store_{name}" for name in ("memory_bytes", "memory_limit_bytes", "evicted_keys_total")
    )
    assert (0, 0) == (before[gone, "store"], before[gone, "counters"])
    assert after[gone, "counters"] > 100
    assert 0 == after[gone, "store"]
    assert LIMIT == after[limit, "counters"]
    assert (limit, "store") not in after
    assert before[used, "counters"] < after[used, "counters"] <= LIMIT * 1.1
    assert after[used, "store"] > 20 * 1_000_000


def test_of_several_servers_the_fullest_is_told_and_no_sum_without_one_that_is_away(postgres: Postgres) -> None:
    database = postgres.url("postgres")
    gone = ("chassis_store_evicted_keys_total", "counters")
    with own_valkey(f"maxmemory {LIMIT}\n") as first, own_valkey(f"maxmemory {2 * LIMIT}\n") as second:
        fill(second.url(0), 12)
        both = shown(database, counters=f"{first.url(0)},{second.url(0)}")
        away = shown(database, counters=f"{second.url(0)},{UNREACHABLE}")
        none = shown(database, counters=UNREACHABLE)

    for told in both, away:
        assert 2 * LIMIT == told["chassis_store_memory_limit_bytes", "counters"]
        assert told["chassis_store_memory_bytes", "counters"] > 12_000_000
    assert 0.0 == both[gone]
    assert gone not in away
    assert [1.0, 0.0] == [told["chassis_store_up", "counters"] for told in (both, away)]
    assert {("chassis_store_up", "counters"): 0.0} == {
        key: none[key] for key in none if key[0].startswith("chassis_store")
    }


def role(server: Valkey) -> str:
    with redis.Redis.from_url(server.url(0)) as client:
        told: str = client.info("replication")["role"]
        return told


def test_a_cluster_is_up_while_each_slot_has_a_server_whichever_is_away(postgres: Postgres) -> None:
    def up() -> float:
        return shown(postgres.url("postgres"), counters=cluster.url())["chassis_store_up", "counters"]

    with own_cluster(replicas=1) as cluster:
        primary, other, _, replica = cluster.nodes
        assert 1.0 == up()
        primary.kill()
        wait_until(lambda: role(replica) == "master", what="the replica in its place")
        wait_until(lambda: up() == 1, what="every slot with a server")
        other.kill()
        wait_until(lambda: up() == 0, what="slots without a server")
        assert [0.0] * 5 == [up() for _ in range(5)]
        other.start()
        wait_until(lambda: up() == 1, what="every slot with a server")
