"""The store of a grading serves its learner, and is no way to anything else."""

import json
from collections.abc import Iterator

import pytest
import redis

from grader.adapters.valkey import Valkey


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    made = Valkey(tmp_path_factory.mktemp("valkey"))
    yield made
    made.end()


@pytest.mark.parametrize(
    "command",
    [
        ("MIGRATE", "127.0.0.1", "5432", "key", "0", "100"),
        ("REPLICAOF", "127.0.0.1", "5432"),
        ("CONFIG", "SET", "dir", "/tmp"),
        ("CONFIG", "SET", "maxmemory", "0"),
        ("SAVE",),
        ("MODULE", "LIST"),
        ("ACL", "SETUSER", "default", "+@all"),
        ("DEBUG", "SLEEP", "1"),
        ("SHUTDOWN",),
        ("EVAL", "return server.call('migrate', '127.0.0.1', '5432', 'key', '0', '100')", "0"),
    ],
)
def test_a_command_that_reaches_further_is_refused(valkey: Valkey, command: tuple[str, ...]) -> None:
    with pytest.raises(redis.ResponseError, match=r"permission|not allowed"):
        valkey.client().execute_command(*command)


def test_what_a_lab_needs_is_there(valkey: Valkey) -> None:
    client = valkey.client(3)
    client.rpush("celery", "message")

    assert "message" == client.lpop("celery")
    assert {"maxmemory": str(256 * 2**20)} == client.config_get("maxmemory")
    assert client.flushall()


def test_messages_that_wait_or_are_held_are_seen_and_those_that_wait_taken_away(valkey: Valkey) -> None:
    client = valkey.client()
    client.flushall()
    quiet = valkey.idle()
    client.rpush("parcels", json.dumps({"headers": {"task": "shop.ship", "id": "1"}}))
    client.rpush("other", "no message")
    waits = valkey.idle()
    valkey.purge()
    purged = valkey.idle()
    client.hset("unacked", "tag", "message")

    assert (True, False, True, False) == (quiet, waits, purged, valkey.idle())
    assert 1 == client.llen("other")
