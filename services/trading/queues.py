"""One queue of the engine pool, whose workers own a shard each, and one for what the clock does."""

SERVICE = "trading"

UPKEEP = "trading.upkeep"
ENGINE = "trading.engine"

QUEUES = (UPKEEP, ENGINE)
"""The first takes what is sent without naming a queue."""
