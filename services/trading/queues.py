"""One queue of the engine pool, whose workers own a shard each, one of batches of the shards' journals, and one for what the clock does."""

SERVICE = "trading"

UPKEEP = "trading.upkeep"
ENGINE = "trading.engine"
PORTFOLIO = "trading.portfolio"

QUEUES = (UPKEEP, ENGINE, PORTFOLIO)
"""The first takes what is sent without naming a queue."""
