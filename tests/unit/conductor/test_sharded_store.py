"""A store that is a cluster on a laptop: its servers, its URL, and a pool for each shard. Off unless a setting says so."""

from pathlib import Path

import pytest

from conductor.capstone import load
from conductor.errors import Refused
from conductor.laptop.platform import Platform
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory

PORTS = {"postgres": 1, "valkey": 2, "analytics.api": 3, "counters": 10, "counters_2": 11, "counters_3": 12} | {
    "counters_bus": 20, "counters_2_bus": 21, "counters_3_bus": 22
}  # fmt: skip


def platform(folder: Path, **settings: str) -> Platform:
    state = State.fresh("valkey", "analytics").model_copy(update={"settings": settings, "ports": PORTS})
    return Platform(RunDirectory(folder), state)


def test_without_the_setting_it_is_one_server_and_one_pool(tmp_path: Path) -> None:
    one = platform(tmp_path)

    assert ["counters"] == [store.name for store in one.stores]
    assert one.store_addresses["counters"].endswith("@127.0.0.1:10/0")
    assert ["aggregate"] == [name for name in one.pools if name.startswith("aggregate")]
    assert {"counters": 6380} == load("analytics").stores[0].ports({})


def test_with_shards_it_is_three_servers_and_a_pool_for_each_shard(tmp_path: Path) -> None:
    one = platform(tmp_path, COUNTERS_SHARDS="2")
    url = one.service_environment()["COUNTERS_URL"]

    assert ["counters", "counters_2", "counters_3"] == [store.name for store in one.stores]
    assert [10, 11, 12] == [int(node.rpartition(":")[2].removesuffix("/0")) for node in url.split(",")]
    assert url == one.store_addresses["counters"]
    assert [("aggregate", ("analytics.aggregate",)), ("aggregate-1", ("analytics.aggregate_1",))] == [
        (name, pool.queues) for name, pool in one.pools.items() if name.startswith("aggregate")
    ]
    ports = load("analytics").stores[0].ports({"COUNTERS_SHARDS": "2"})
    assert PORTS.keys() & ports.keys() == ports.keys()
    assert len(set(ports.values())) == 6


@pytest.mark.parametrize("told", ["", "0", "many", "-1"])
def test_what_is_no_number_of_shards_is_refused(tmp_path: Path, told: str) -> None:
    with pytest.raises(Refused, match=f'COUNTERS_SHARDS="{told}"'):
        platform(tmp_path, COUNTERS_SHARDS=told).stores  # noqa: B018
