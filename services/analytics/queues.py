"""Queues of batches: one a shard of the counters, and one that gets what these get. Of tasks: one for what the clock does, one for what it
does with the archive, and one for recommendations."""

SERVICE = "analytics"

AGGREGATE = "analytics.aggregate"
ARCHIVE = "analytics.archive"
REPORTS = "analytics.reports"
UPKEEP = "analytics.upkeep"
RECOMMEND = "analytics.recommend"

RECOMMEND_USERS = "analytics.recommend_users"
"""The task that learns what is new of some users."""


def aggregate(shard: int) -> str:
    """The queue of a shard's batches, so that a shard whose store is away holds up no other one."""
    return f"{AGGREGATE}_{shard}" if shard else AGGREGATE


def queues(shards: int) -> tuple[str, ...]:
    """All of them. The first takes what is sent without naming a queue, which is tasks."""
    return (UPKEEP, *map(aggregate, range(shards)), ARCHIVE, REPORTS, RECOMMEND)


QUEUES = queues(1)
"""Those of counters that are not divided."""
