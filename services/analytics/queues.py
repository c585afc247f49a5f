"""One queue of batches, and one of tasks for what the clock does."""

SERVICE = "analytics"

AGGREGATE = "analytics.aggregate"
UPKEEP = "analytics.upkeep"

QUEUES = (UPKEEP, AGGREGATE)
"""The first takes what is sent without naming a queue, which is tasks."""
