"""Shards lie evenly on the nodes of a cluster, and parts evenly in the shards."""

from collections import Counter
from itertools import pairwise

import pytest
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from analytics.adapters.counter_keys import shards
from analytics.domain.parts import MOST_SHARDS, part_id, shard_of


def nodes_of(count: int, nodes: int) -> Counter[int]:
    """How many shards lie on each node, when the slots are divided as `--cluster create` does."""
    bounds = [round(node * REDIS_CLUSTER_HASH_SLOTS / nodes) for node in range(nodes + 1)]
    found: Counter[int] = Counter(dict.fromkeys(range(nodes), 0))
    for shard in shards(count):
        slot = key_slot(shard.prefix.encode())
        found[next(node for node, (first, end) in enumerate(pairwise(bounds)) if first <= slot < end)] += 1
    return found


@pytest.mark.parametrize("count", range(2, MOST_SHARDS + 1))
def test_nodes_with_even_shares_of_the_slots_have_even_shares_of_the_shards(count: int) -> None:
    for nodes in range(1, count + 1):
        on_nodes = nodes_of(count, nodes)

        assert len(on_nodes) == nodes
        more = max(on_nodes.values()) - min(on_nodes.values())
        assert more <= (0 if count % nodes == 0 else 2), f"{count} shards on {nodes} nodes: {on_nodes}"


def test_one_shard_keeps_the_names_of_counters_that_are_not_divided() -> None:
    assert ["{0}:"] == [shard.prefix for shard in shards(1)]


def test_all_keys_of_a_shard_are_in_one_slot() -> None:
    for shard in shards(5):
        keys = (shard.apart, shard.meta, shard.flushes, shard.accepted, shard.content_minutes("view", 7))
        more = (shard.content_totals("like"), shard.user_hours(7), shard.totals("view", 7), f"{shard.prefix}parts:1")

        assert 1 == len({key_slot(key.encode()) for key in (shard.prefix, *keys, *more)})


def test_parts_are_divided_evenly() -> None:
    found = Counter(shard_of(part_id("web", str(key), number), 3) for key in range(3000) for number in range(2))

    assert {0, 1, 2} == set(found)
    assert max(found.values()) < 1.1 * min(found.values())
