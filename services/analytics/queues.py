"""One queue of batches; of tasks one for what the clock does and one for recommendations."""

SERVICE = "analytics"

AGGREGATE = "analytics.aggregate"
UPKEEP = "analytics.upkeep"
RECOMMEND = "analytics.recommend"

RECOMMEND_USERS = "analytics.recommend_users"
"""The task that learns what is new of some users."""

QUEUES = (UPKEEP, AGGREGATE, RECOMMEND)
"""The first takes what is sent without naming a queue, which is tasks."""
