"""Engagements come in over HTTP, tasks learn from them, and what is recommended is read; each engagement is learned once."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis
from kombu import Connection
from prometheus_client import CollectorRegistry

from analytics.adapters import engagement_store
from analytics.adapters.engagement_store import RedisEngagementStore
from analytics.adapters.store_clients import StoreAddress
from analytics.domain.batch import columnise
from analytics.domain.counting import count
from analytics.domain.events import Event, Timing
from analytics.domain.parts import Part, part_id
from analytics.domain.recommending import learn
from analytics.usecases.recommendations import EngagementLog, Recommender
from chassis import metrics
from servers import Valkey, wait_until


def store_at(url: str) -> RedisEngagementStore:
    return RedisEngagementStore(StoreAddress(url).client(decode_responses=True), kept_seconds=1000)


@pytest.fixture
def store(store_url: str) -> RedisEngagementStore:
    return store_at(store_url)


def learned(url: str) -> dict[str, Any]:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        keys = sorted(client.scan_iter("{recommend}:common:*"))
        return {key: client.zrange(key, 0, -1, withscores=True) for key in ["{recommend}:users", *keys]}


def test_what_is_learned_again_changes_nothing(store: RedisEngagementStore, store_url: str) -> None:
    recommender = Recommender(store, chunk=2, chunks=10, queued=10)
    store.note({"a": ["x", "y"], "b": ["x", "y", "z"], "c": ["x"]})
    sent: list[list[str]] = []
    recommender.fan_out(0, sent.append)
    for users in sent:
        recommender.learn(users)
    once = learned(store_url)
    for users in sent:
        recommender.learn(users)
    store.note({"a": ["y", "x"]})
    recommender.learn(["a"])

    assert [["a", "b"], ["c"]] == sent
    assert [("z", 1.0), ("y", 2.0), ("x", 3.0)] == once["{recommend}:users"]
    assert [("z", 1.0), ("y", 2.0)] == once["{recommend}:common:x"]
    assert once == learned(store_url)
    assert [] == store.waiting(10)
    assert ["x", "y"] == store.histories(["a"])["a"]


@pytest.mark.parametrize(("waiting", "chunks"), [(0, 3), (6, 3), (8, 2), (10, 0), (6000, 0)])
def test_no_more_chunks_are_sent_than_the_queue_has_room_for(
    store: RedisEngagementStore, monkeypatch: pytest.MonkeyPatch, waiting: int, chunks: int
) -> None:
    registry = CollectorRegistry()
    monkeypatch.setattr(metrics, "_set", metrics.Metrics("upkeep", registry))
    store.note({f"u{number}": ["x"] for number in range(100)})
    sent: list[list[str]] = []
    Recommender(store, chunk=4, chunks=3, queued=10).fan_out(waiting, sent.append)

    assert [4] * chunks == [len(users) for users in sent]
    assert 100 == registry.get_sample_value("analytics_waiting_users", {"pool": "upkeep"})


def test_a_user_waits_until_the_list_is_stored_and_nothing_new_was_noted_meanwhile(store: RedisEngagementStore) -> None:
    store.note({"a": ["x"]})
    store.learn(["a"], learn)
    once = store.waiting(10)
    store.note({"a": ["y"]})
    store.keep({"a": ["z"]}, {"a": ["x"]})
    meanwhile = store.waiting(10)
    Recommender(store, chunk=1, chunks=1, queued=1).learn(["a"])

    assert (["a"], ["a"], []) == (once, meanwhile, store.waiting(10))
    assert ["x", "y"] == store.histories(["a"])["a"]


def test_a_list_that_is_made_of_an_older_history_replaces_none(store: RedisEngagementStore, store_url: str) -> None:
    store.note({"a": ["x"]})
    store.learn(["a"], learn)
    older = store.histories(["a"])
    store.note({"a": ["y"]})
    store.learn(["a"], learn)
    store.keep({"a": ["newer"]}, store.histories(["a"]))
    store.keep({"a": ["older"]}, older)

    assert ["newer"] == redis.Redis.from_url(store_url, decode_responses=True).lrange("{recommend}:list:a", 0, -1)


def test_a_chunk_of_users_is_learned_a_few_at_a_time_and_once(store: RedisEngagementStore, store_url: str) -> None:
    users = [f"u{number}" for number in range(50)]
    store.note({user: [f"c{number % 9}" for number in range(index, index + 4)] for index, user in enumerate(users)})
    before = transactions(store_url)
    Recommender(store, chunk=50, chunks=1, queued=1).learn(users)
    learned = transactions(store_url)
    Recommender(store, chunk=50, chunks=1, queued=1).learn(users)

    # Eight users at a time, and their lists at once.
    assert [8, 8] == [learned - before, transactions(store_url) - before]
    assert [] == store.waiting(10)


def test_more_pairs_than_a_transaction_may_count_are_counted_by_several(
    store: RedisEngagementStore, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engagement_store, "PAIRS", 4)
    users = ["a", "b", "c"]
    store.note({user: ["x", "y", "z"] for user in users})  # three pairs each
    before = transactions(store_url)
    store.learn(users, learn)

    assert 3 == transactions(store_url) - before
    assert [("y", 3.0), ("z", 3.0)] == learned(store_url)["{recommend}:common:x"]


def test_what_is_new_of_one_user_is_learned_by_several_transactions(
    store: RedisEngagementStore, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [f"c{number:02}" for number in range(30)]
    store.note({"a": contents})
    monkeypatch.setattr(engagement_store, "PAIRS", 1000)
    store.learn(["a"], learn)
    at_once = learned(store_url)
    with redis.Redis.from_url(store_url) as client:
        client.flushall()
    monkeypatch.setattr(engagement_store, "PAIRS", 40)
    store.note({"a": contents})
    before = transactions(store_url)
    store.learn(["a"], learn)

    assert at_once == learned(store_url)
    # 435 pairs, at most 40 at a time.
    assert 435 / 40 < transactions(store_url) - before < 20
    assert {"a": contents} == store.histories(["a"])


def transactions(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        told: Any = client.info("commandstats")
    return int(told.get("cmdstat_exec", {"calls": 0})["calls"])


def test_more_engagements_than_a_second_has_room_for_are_left_out(store: RedisEngagementStore) -> None:
    engagements = EngagementLog(store, per_second=5)
    made = [Event(str(i), f"u{i}", "c", kind, 1) for i in range(4) for kind in ("like", "view", "unlike", "share")]
    engagements.observe(count([columnise([Part(part_id("c", "k", 0), made)], 1, lambda _: Timing.ON_TIME)]))

    assert 3 == engagements.turn()
    assert 4 == len(store.waiting(10))
    assert 0 == engagements.turn()


def beat(service: Any, every: str) -> None:
    service.start(
        "celery", "--app", "analytics.app", "beat", "--schedule", str(service.folder / "beat"),
        log="beat.log", HEARTBEAT_FILE=str(service.folder / "beat.heartbeat"), POOL="beat",
        RECOMMEND_EVERY_SECONDS=every,
    )  # fmt: skip


def test_chunks_that_nobody_learns_do_not_become_more(analytics: Any, counters: Valkey, broker_url: str) -> None:
    store_at(counters.url(0)).note({f"u{number}": ["x"] for number in range(100)})
    few = {"RECOMMEND_CHUNK": "2", "RECOMMEND_CHUNKS": "2", "RECOMMEND_QUEUED": "5"}
    analytics.worker("upkeep", queue="upkeep", ready=False, **few)
    beat(analytics, "0.2")

    def runs() -> int:
        return len(re.findall(r"Task analytics\.recommend\[\S+ succeeded", analytics.log("upkeep.log")))

    # The first three fill the queue, and as many again would put twelve chunks into it.
    wait_until(lambda: runs() >= 6, what=f"six runs: {analytics.log('upkeep.log')[-2000:]}", seconds=60)
    with Connection(broker_url) as connection:
        passive = connection.transport.driver_type != "redis"
        waiting = connection.default_channel.queue_declare("analytics.recommend", passive=passive).message_count

    assert 5 == waiting


@pytest.mark.parametrize("database", [0, 1], ids=["with the counters", "a store of their own"])
def test_users_get_what_similar_users_liked_and_others_what_is_popular(
    analytics_on: Callable[..., Any], rabbitmq_url: str, counters: Valkey, now: int, database: int
) -> None:
    apart = {"RECOMMENDATIONS_URL": counters.url(database)} if database else {}
    rabbit_analytics = analytics_on(rabbitmq_url, **apart)
    rabbit_analytics.edge()
    rabbit_analytics.worker()
    for pool in ("upkeep", "recommend"):
        rabbit_analytics.worker(pool, queue=pool, ready=False)
    beat(rabbit_analytics, "0.5")
    likes = [("u", "a")]
    likes += [(f"s{i}", content) for i in range(3) for content in ("a", "b")]
    likes += [(f"p{i}", content) for i in range(9) for content in ("hit", "other")]
    events = [
        {"id": f"{user}{content}", "user": user, "content": content, "kind": "like", "at_ms": now}
        for user, content in likes
    ]
    assert 200 == rabbit_analytics.send(events).status_code

    def told(user: str) -> list[tuple[str, str]]:
        found = rabbit_analytics.ask(f"/users/{user}/recommendations", limit=3)["recommendations"]
        return [(one["content"], one["because"]) for one in found]

    wait_until(
        lambda: told("u")[:1] == [("b", "similar")],
        what=f"recommendations {rabbit_analytics.log('recommend.log')[-2000:]}", seconds=60,
    )  # fmt: skip

    assert [("b", "similar"), ("other", "popular"), ("hit", "popular")] == told("u")
    assert ("hit", "popular") in told("nobody")
    assert {"a", "b"}.isdisjoint(content for content, _ in told("s1"))
    assert {"{recommend}"} == {key.partition(":")[0] for key in learned(counters.url(database))}
    with redis.Redis.from_url(counters.url(0), decode_responses=True) as client:
        assert (database == 0) == any(key.startswith("{recommend}") for key in client.scan_iter())
