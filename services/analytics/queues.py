"""Two queues of batches, of which the second gets what the first gets; of tasks one for what the
clock does, one for what it does with the archive, and one for recommendations."""

SERVICE = "analytics"

AGGREGATE = "analytics.aggregate"
ARCHIVE = "analytics.archive"
REPORTS = "analytics.reports"
UPKEEP = "analytics.upkeep"
RECOMMEND = "analytics.recommend"

RECOMMEND_USERS = "analytics.recommend_users"
"""The task that learns what is new of some users."""

QUEUES = (UPKEEP, AGGREGATE, ARCHIVE, REPORTS, RECOMMEND)
"""The first takes what is sent without naming a queue, which is tasks."""
