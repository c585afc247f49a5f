"""Names of the keys that hold counters. All of one shard share a hash tag, so that one function call may write them on a cluster.

{tag}:c:<kind>:<minute>   hash: events by content          expires
{tag}:ct:<kind>           hash: events by content, of all time
{tag}:u:<hour>            hash: events by user             expires
{tag}:t:<kind>:<hour>     hash: events by minute           expires
{tag}:apart               hash: events by late:<kind>, future:<kind> or flagged:<kind>; refused
{tag}:parts:<slot>        set: ids of parts counted in a slot of time; expires
{tag}:meta                hash: events, published_ms, counted_ms
{tag}:flushes             stream: what each flush added, and how late; the last quarter of an hour
{tag}:accepted            sorted set: when the newest confirmed batch was published

A part is counted in one shard, so a counter is the sum of that counter in all shards. Without sharding the only tag is 0.
"""

from dataclasses import dataclass
from functools import cache

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot


@dataclass(frozen=True, slots=True)
class Shard:
    """The names of one shard's keys."""

    prefix: str
    """The hash tag in braces, and a colon."""

    @property
    def apart(self) -> str:
        return f"{self.prefix}apart"

    @property
    def meta(self) -> str:
        return f"{self.prefix}meta"

    @property
    def flushes(self) -> str:
        return f"{self.prefix}flushes"

    @property
    def accepted(self) -> str:
        return f"{self.prefix}accepted"

    def content_minutes(self, kind: str, minute: int | str) -> str:
        """Events by content in a minute since 1970."""
        return f"{self.prefix}c:{kind}:{minute}"

    def content_totals(self, kind: str) -> str:
        """Events by content, of all time."""
        return f"{self.prefix}ct:{kind}"

    def user_hours(self, hour: int | str) -> str:
        """Events by user in an hour since 1970."""
        return f"{self.prefix}u:{hour}"

    def totals(self, kind: str, hour: int) -> str:
        """Events by minute of an hour since 1970."""
        return f"{self.prefix}t:{kind}:{hour}"


@cache
def shards(count: int) -> tuple[Shard, ...]:
    """All shards of a store that has so many, 1 to domain.parts.MOST_SHARDS."""
    return tuple(Shard(f"{{{tag(index, count)}}}:") for index in range(count))


def tag(index: int, count: int) -> str:
    """The hash tag of a shard.

    The slots of a cluster are divided into `count` ranges of equal length, and the tag's slot lies near the middle of range `index`. So
    nodes that divide the slots evenly, as `--cluster create` does, get as many shards each; where their number does not divide that of
    the shards, at most two more than another. Tags of consecutive numbers would not: of {0}, {1} and {2} two lie on one of three nodes.
    """
    if count == 1:
        return "0"
    length = REDIS_CLUSTER_HASH_SLOTS / count
    middle, near = (index + 0.5) * length, length / 8
    number = 0
    while abs(key_slot(str(number).encode()) - middle) > near:
        number += 1
    return str(number)
