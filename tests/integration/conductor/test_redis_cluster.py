"""Servers that become one cluster: what was interrupted is ended by the next call, and one that lost its data is not taken in."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from conductor import redis_cluster
from conductor.errors import Refused
from server_fixtures import valkey_binary
from servers import ValkeyCluster

PRIMARIES = 3
STEPS = ("SET-CONFIG-EPOCH", "ADDSLOTSRANGE", "MEET", "REPLICATE")


@pytest.fixture(scope="module")
def started() -> Iterator[ValkeyCluster]:
    """Three servers that are to have slots, and one that is to be a replica."""
    with tempfile.TemporaryDirectory(prefix="valkey-cluster-") as folder:
        servers = ValkeyCluster(valkey_binary(), Path(folder), PRIMARIES, replicas=1)
        try:
            servers.start_apart()
            yield servers
        finally:
            servers.kill()


@pytest.fixture
def servers(started: ValkeyCluster) -> ValkeyCluster:
    """They know nobody, and have neither slots nor keys."""
    for number in range(len(started.nodes)):
        lose_data(started, number)
    return started


def lose_data(servers: ValkeyCluster, number: int) -> None:
    """What a server is without its volume: another one, that knows nobody."""
    with redis.Redis.from_url(servers.nodes[number].url(0)) as client:
        ask: Any = client
        if client.info("replication")["role"] == "master":
            client.flushall()
        ask.execute_command("CLUSTER", "RESET", "HARD")


class Interrupted(Exception):
    """Who makes them a cluster is killed."""


def interrupted_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls next is killed after so many commands that change something."""
    ask, done = redis_cluster._ask, list[Any]()

    def ask_or_die(node: redis_cluster.Node, *command: Any) -> Any:
        if command[1] in STEPS:
            if len(done) == steps:
                raise Interrupted
            done.append(command)
        return ask(node, *command)

    monkeypatch.setattr(redis_cluster, "_ask", ask_or_die)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(2, id="one server has its slots"),
        pytest.param(7, id="none was introduced"),
        pytest.param(8, id="one was introduced"),
        pytest.param(10, id="the replica is none yet"),
    ],
)
def test_what_was_interrupted_midway_is_ended_by_the_next_call(
    servers: ValkeyCluster, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    with monkeypatch.context() as patch:
        interrupted_after(steps, patch)
        with pytest.raises(Interrupted):
            redis_cluster.form(servers.members, PRIMARIES)

    redis_cluster.form(servers.members, PRIMARIES)

    with redis.Redis.from_url(servers.nodes[-1].url(0)) as client:
        assert "slave" == client.info("replication")["role"]
    assert all(map(redis_cluster.healthy, servers.members))


def test_a_server_that_lost_its_data_is_not_taken_in_without_a_word(servers: ValkeyCluster) -> None:
    redis_cluster.form(servers.members, PRIMARIES)
    lose_data(servers, 1)

    with pytest.raises(Refused, match="knows a server that is none of these 4, with the id"):
        redis_cluster.form(servers.members, PRIMARIES)

    assert not redis_cluster.is_ok(servers.members[1])
