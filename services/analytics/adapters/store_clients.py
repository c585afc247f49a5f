"""Clients of the store of the counters: one server, or a Redis Cluster when there are several shards.

redis-py's cluster client learns from any node which node has a slot, and again when a node is gone or a replica took its place.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterNode as AsyncNode
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry

from analytics.adapters.counter_keys import Shard, shards
from chassis.errors import Transient

FAILURES = (RedisError, RedisClusterException, OSError)
"""What a client raises when the store fails; the cluster client's own errors are no RedisError."""

CONNECT_SECONDS = 2.0
"""Longest wait for a connection, because a node that is gone may not refuse one."""

OTHER_NODES = 2
"""How many further nodes are asked when one does not answer."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where the store is: the URL of the server, or of one node of the cluster."""

    url: str
    """Of a cluster it may be the URLs of several nodes, with commas between, because one of them answers when another is away. User,
    password and TLS are those of the first."""
    shards: int = 1
    """1 is one server, more are a cluster."""
    timeout_seconds: float = 5.0

    @property
    def every_shard(self) -> tuple[Shard, ...]:
        """The names of the keys of each shard."""
        return shards(self.shards)

    def client(self, *, decode_responses: bool = False) -> Any:
        """A client for threads. It does not try again by itself, because its callers wait between tries. A cluster is asked for its nodes
        at once; raises Transient when none answers."""
        options: dict[str, Any] = {
            "socket_timeout": self.timeout_seconds,
            "socket_connect_timeout": min(self.timeout_seconds, CONNECT_SECONDS),
            "retry": Retry(NoBackoff(), 0),
            "decode_responses": decode_responses,
        }
        if self.shards == 1:
            return redis.Redis.from_url(self.url, **options)
        try:
            # A new client asks any node which commands there are, and it may be one that is away.
            options["retry"] = Retry(NoBackoff(), OTHER_NODES)
            client: Any = redis.RedisCluster.from_url(
                self._first, startup_nodes=self._others(ClusterNode), require_full_coverage=False, **options
            )
        except FAILURES as error:
            raise Transient(f"no node of the counters' cluster answers: {error}") from error
        client.retry = Retry(NoBackoff(), 0)
        return client

    def async_client(self) -> Any:
        """A client for an event loop, which decodes what it reads. Of a cluster it asks a second time, where the slots are then."""
        from redis.asyncio.retry import Retry as AsyncRetry

        options: dict[str, Any] = {
            "socket_timeout": self.timeout_seconds,
            "socket_connect_timeout": min(self.timeout_seconds, CONNECT_SECONDS),
            "decode_responses": True,
        }
        if self.shards == 1:
            return redis.asyncio.Redis.from_url(self.url, retry=AsyncRetry(NoBackoff(), 0), **options)
        retry = AsyncRetry(NoBackoff(), OTHER_NODES)
        return redis.asyncio.RedisCluster.from_url(
            self._first, startup_nodes=self._others(AsyncNode), require_full_coverage=False, retry=retry, **options
        )

    @property
    def _first(self) -> str:
        return nodes_of(self.url)[0]

    def _others(self, node: Any) -> list[Any]:
        parts = [urlsplit(url) for url in nodes_of(self.url)[1:]]
        return [node(each.hostname, each.port or 6379) for each in parts]


def nodes_of(url: str) -> list[str]:
    """The URLs of nodes in a `COUNTERS_URL`."""
    return re.split(r",(?=rediss?://)", url)


def node_of(client: Any, key: str) -> Any:
    """The client of the server that has `key` now: that of the primary in a cluster."""
    cluster = isinstance(client, redis.RedisCluster)
    return client.get_redis_connection(client.get_node_from_key(key)) if cluster else client


def look_anew(client: Any) -> None:
    """After a failure: learn which node has which keys now. Whoever calls `node_of` is not told by the client itself."""
    if isinstance(client, redis.RedisCluster):
        with suppress(*FAILURES):
            client.nodes_manager.initialize()


def scan(client: Any, pattern: str) -> Iterator[str]:
    """The keys that match a pattern, which begins with a hash tag: only the server that has it is asked."""
    for name in node_of(client, pattern).scan_iter(pattern.replace("[", "\\["), count=1000):
        yield name.decode() if isinstance(name, bytes) else name
