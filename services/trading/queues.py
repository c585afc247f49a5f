"""One queue of the engine pool, whose workers own a shard each, one of batches of the shards' journals, one of the pool that
follows the market, and one for what the clock does."""

SERVICE = "trading"

UPKEEP = "trading.upkeep"
ENGINE = "trading.engine"
PORTFOLIO = "trading.portfolio"
MARKET = "trading.market"

QUEUES = (UPKEEP, ENGINE, PORTFOLIO, MARKET)
"""The first takes what is sent without naming a queue."""
