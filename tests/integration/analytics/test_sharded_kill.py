"""An edge, an aggregator and a node of the counters' cluster die while a request is in the queues of several shards."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import redis
from kombu import Connection

from analytics.adapters.store_clients import FAILURES, StoreAddress
from analytics.domain.parts import PART_EVENTS, part_id, shard_of
from analytics.queues import aggregate
from chassis.errors import Transient
from servers import RabbitMQ, ValkeyCluster, wait_until

if TYPE_CHECKING:
    from integration.analytics.conftest import Analytics
else:
    Analytics = Any

SHARDS = 3


def test_a_kill_between_two_shards_leaves_every_counter_right(
    analytics_on: Callable[..., Analytics],
    rabbitmq: RabbitMQ,
    vhost: str,
    cluster: ValkeyCluster,
    expected: Callable[[list[dict[str, Any]]], dict[str, dict[str, int]]],
    now: int,
) -> None:
    """The edge dies when one shard's queue has its part of a request and another's has not; a node and an aggregator die as well."""
    service = analytics_on(
        rabbitmq.url(vhost), COUNTERS_URL=cluster.url(), COUNTERS_SHARDS=f"{SHARDS}", PUBLISHERS="1",
        TRENDS="false", RECOMMENDATIONS="false",
    )  # fmt: skip
    edge = service.edge()
    single = {shards_of(name, 1)[0]: name for name in map(str, range(99))}
    first = [event(f"first-{shard}", now) for shard in range(SHARDS)]
    key = next(name for name in map(str, range(100, 999)) if shards_of(name, SHARDS) == [0, 1, 2])
    second = [event(f"second-{index}", now) for index in range(SHARDS * PART_EVENTS)]
    for shard in range(SHARDS):  # each queue is there, and each publisher connected
        assert service.send([first[shard]], key=single[shard]).status_code == 200
    rabbitmq.api("DELETE", f"queues/{vhost}/analytics.aggregate_1")

    assert service.send(second, key=key).status_code == 503
    wait_until(lambda: [2, 2] == [waiting(rabbitmq, vhost, shard) for shard in (0, 2)], what="parts in two queues")
    edge.kill()
    edge.wait()
    service.edge("second-edge")
    workers = [
        service.worker(f"worker{number}", queue=f"aggregate_{number}".removesuffix("_0")) for number in range(SHARDS)
    ]
    wait_until(lambda: counted(cluster, (2,)) > PART_EVENTS, what="the last shard to be counted")
    cluster.nodes[2].kill()
    for _ in range(2):
        assert service.send(second, key=key).status_code == 200
    wait_until(lambda: service.state("worker2") == "stalled", what="the aggregator of the dead node to wait")
    wait_until(lambda: counted(cluster, (1,)) >= PART_EVENTS, what="another shard to be counted")
    workers[0].kill()
    workers[0].wait()
    service.worker("worker0")
    cluster.nodes[2].start()

    # The event of the queue that was deleted went with it; its client was told otherwise, so it is sent again under its key.
    assert service.send([first[1]], key=single[1]).status_code == 200
    wait_until(lambda: counted(cluster, range(SHARDS)) >= len(first) + len(second), what="all to be counted")
    wait_until(
        lambda: (
            not any(
                waiting(rabbitmq, vhost, shard) or service.record(f"worker{shard}")["held"] for shard in range(SHARDS)
            )
        ),
        what="nothing left to count",
    )
    assert expected([*first, *second]) == counters_of(cluster)


def waiting(rabbitmq: RabbitMQ, vhost: str, shard: int) -> int:
    """Batches in the queue of a shard."""
    with Connection(rabbitmq.url(vhost)) as connection:
        return int(connection.default_channel.queue_declare(aggregate(shard), passive=True).message_count)


def shards_of(key: str, parts: int) -> list[int]:
    return [shard_of(part_id("web", key, number), SHARDS) for number in range(parts)]


def event(name: str, at_ms: int) -> dict[str, Any]:
    number = int(name.rpartition("-")[2])
    return {"id": name, "user": f"u{number % 700}", "content": f"c{number % 90}", "kind": "view", "at_ms": at_ms}


def counted(cluster: ValkeyCluster, shards: Iterable[int]) -> int:
    """Events in these shards; 0 while a node of theirs does not answer, or is not yet taken back by the others."""
    address = StoreAddress(cluster.url(), SHARDS)
    try:
        client = address.client()
        return sum(int(client.hget(address.every_shard[shard].meta, "events") or 0) for shard in shards)
    except (*FAILURES, Transient):
        return 0


def counters_of(cluster: ValkeyCluster) -> dict[str, dict[str, int]]:
    """The sum of each counter, by key without its shard and by field."""
    sums: dict[str, Counter[str]] = {}
    for node in cluster.nodes:
        with redis.Redis.from_url(node.url(0), decode_responses=True) as client:
            for key in client.scan_iter(count=1000):
                name = key.partition("}:")[2]
                if not name.startswith(("parts:", "meta", "flushes", "accepted")):
                    found: Any = client.hgetall(key)
                    sums.setdefault(name, Counter()).update({field: int(value) for field, value in found.items()})
    return {name: dict(counts) for name, counts in sorted(sums.items())}
