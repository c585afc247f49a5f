"""One flush on a real server: all of it or nothing, whatever is wrong with what the store holds."""

import time
from collections import Counter
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.adapters.counter_keys import shards
from analytics.adapters.counter_store import RedisCounterStore
from analytics.adapters.store_clients import StoreAddress
from analytics.domain.batch import columnise
from analytics.domain.counting import Growth, count
from analytics.domain.events import Event, Timing
from analytics.domain.parts import Part, part_id
from chassis.errors import Transient

MINUTE = int(time.time()) // 60
"""A minute that is still kept."""
KEYS = (f"c:view:{MINUTE}", "ct:view", f"u:{MINUTE // 60}", f"t:view:{MINUTE // 60}", "apart", "meta", "flushes")


@pytest.fixture
def url(store_url: str) -> str:
    return store_url


def opened(url: str, dedup_ms: int = 3_600_000) -> RedisCounterStore:
    (shard,) = shards(1)
    client = StoreAddress(url).client()
    return RedisCounterStore(client, shard, minute_seconds=3000, hour_seconds=10_000, dedup_ms=dedup_ms)


def growth(key: str = "k", events: int = 3) -> Growth:
    made = [Event(str(i), f"u{i}", "c", "view", MINUTE * 60_000) for i in range(events)]
    found = count([columnise([Part(part_id("web", key, 0), made)], 7, lambda _: Timing.ON_TIME)])
    found.apart = Counter({"late:view": 1})
    return found


def everything(client: "redis.Redis") -> dict[str, Any]:
    return {key.decode(): client.dump(key) for key in client.scan_iter()}  # type: ignore[union-attr]


def test_a_part_that_was_counted_is_named_and_nothing_is_added(url: str) -> None:
    store = opened(url)
    first, second = growth("one"), growth("two")

    assert frozenset() == store.add(first)
    with redis.Redis.from_url(url) as client:
        before = everything(client)
        second.parts += first.parts
        known = store.add(second)
        after = everything(client)

    assert frozenset(first.parts) == known
    assert before == after


def test_thousands_of_parts_and_fields_go_in_one_flush(url: str) -> None:
    store = opened(url)
    parts = [
        Part(part_id("web", str(i), 0), [Event(str(i), f"u{i}", f"c{i}", "view", MINUTE * 60_000)]) for i in range(9000)
    ]
    found = count([columnise(parts, 7, lambda _: Timing.ON_TIME)])

    assert frozenset() == store.add(found)
    assert frozenset(found.parts) == store.add(found)
    with redis.Redis.from_url(url) as client:
        assert 9000 == client.hlen("{0}:ct:view")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    key=st.sampled_from(KEYS),
    damage=st.sampled_from(["a list", "a text", "words", "a fraction", "infinity", "negative", "full"]),
)
def test_a_flush_that_fails_leaves_everything_as_it_was(url: str, key: str, damage: str) -> None:
    store = opened(url)
    found = growth()
    fields = {"meta": "events", "apart": "late:view", "ct:view": "c", "flushes": "x"}
    field = fields.get(key) or {"c": "c", "u": "u1", "t": str(MINUTE)}[key.partition(":")[0]]
    values = {"words": "many", "a fraction": "1.5", "infinity": "inf", "negative": "-1", "full": str(2**53 - 1)}
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        name = f"{{0}}:{key}"
        if damage == "a list":
            client.rpush(name, "x")
        elif damage == "a text":
            client.set(name, "x")
        else:
            client.hset(name, field, values[damage])
        before = everything(client)

        with pytest.raises(Transient):
            store.add(found)

        assert before == everything(client)


def test_large_counts_are_whole_numbers(url: str) -> None:
    store = opened(url)
    with redis.Redis.from_url(url, decode_responses=True) as client:
        client.hset("{0}:ct:view", "c", str(2**53 - 5))
        store.add(growth())

        assert str(2**53 - 2) == client.hget("{0}:ct:view", "c")


def test_ids_are_kept_longer_than_asked_and_expire(url: str) -> None:
    store = opened(url, dedup_ms=60_000)
    store.add(growth())

    with redis.Redis.from_url(url) as client:
        (key,) = client.scan_iter("{0}:parts:*")
        lives = client.pttl(key)
        kept = client.ttl(f"{{0}}:c:view:{MINUTE}"), client.ttl(f"{{0}}:u:{MINUTE // 60}"), client.ttl("{0}:ct:view")

    assert 60_000 < lives <= 70_000  # type: ignore[operator]
    assert (3000, 10_000, -1) == kept


def test_what_is_older_than_its_counters_are_kept_is_counted_of_all_time_alone(url: str) -> None:
    store = opened(url)
    events = [Event("1", "u", "c", "view", (MINUTE - minutes) * 60_000) for minutes in (0, 55, 1000)]
    store.add(count([columnise([Part(part_id("web", "old", 0), events)], 7, lambda _: Timing.BACKFILLED)]))

    with redis.Redis.from_url(url, decode_responses=True) as client:
        hours = [int(client.hget(f"{{0}}:u:{(MINUTE - minutes) // 60}", "u") or 0) for minutes in (0, 1000)]  # type: ignore[arg-type]
        assert "3" == client.hget("{0}:ct:view", "c")
        assert [f"{{0}}:c:view:{MINUTE}"] == list(client.scan_iter("{0}:c:*"))
        assert (True, False) == (hours[0] > 0, hours[1] > 0)
