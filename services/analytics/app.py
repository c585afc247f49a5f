"""Where the parts meet: the Celery app, the aggregator and the API of the analytics, made from the environment's settings.

Workers import this module before anything else, so it opens nothing; what a process needs is made when it is first asked for.
"""

import time
import uuid
from functools import cache
from typing import Any

from analytics import tasks
from analytics.queues import AGGREGATE, QUEUES, RECOMMEND, RECOMMEND_USERS, SERVICE
from analytics.settings import Settings
from chassis.app import make_app
from chassis.batch_consumer import BatchQueue
from chassis.dead_letters import collect_dead_letters
from chassis.errors import Transient

SETTINGS = Settings

settings = Settings()


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


def make_aggregate() -> Any:
    """What counts batches, with a connection to the counters of its own."""
    from analytics.adapters.counter_store import RedisCounterStore
    from analytics.usecases.aggregate import Aggregate

    store = RedisCounterStore(
        settings.counters_url,
        timeout_seconds=settings.counters_timeout_seconds,
        minute_seconds=settings.minute_retention_hours * 3600,
        hour_seconds=settings.hour_retention_days * 86_400,
        dedup_ms=settings.dedup_ms,
    )
    observers = []
    if settings.trends:
        from analytics.adapters.trend_board import RedisTrendBoard
        from analytics.usecases.trend_watch import TrendWatch

        watch = TrendWatch(
            RedisTrendBoard(settings.counters_url, timeout_seconds=settings.counters_timeout_seconds),
            replica=uuid.uuid4().hex,
            clock_ms=_clock_ms,
            report_seconds=settings.trends_report_seconds,
            save_seconds=settings.trends_save_seconds,
            live_seconds=settings.trends_live_seconds,
        )
        watch.start()
        observers.append(watch.observe)
    if settings.recommendations:
        from analytics.usecases.recommendations import EngagementLog

        engagements = EngagementLog(_engagement_store(), per_second=settings.engagements_per_second)
        engagements.start()
        observers.append(engagements.observe)
    return Aggregate(store, oldest_ms=settings.dedup_ms // 2, clock_ms=_clock_ms, observers=observers)


def _engagement_store() -> Any:
    from analytics.adapters.engagement_store import RedisEngagementStore

    return RedisEngagementStore(
        settings.counters_url,
        timeout_seconds=settings.counters_timeout_seconds,
        kept_seconds=settings.engagement_retention_days * 86_400,
    )


@cache
def _recommender() -> Any:
    from analytics.usecases.recommendations import Recommender

    return Recommender(_engagement_store(), chunk=settings.recommend_chunk, chunks=settings.recommend_chunks)


def _send_users(users: list[str]) -> None:
    app.send_task(RECOMMEND_USERS, kwargs={"v": 1, "users": users}, queue=RECOMMEND)


app = make_app(
    SERVICE,
    QUEUES,
    settings,
    beat_schedule={
        "collect_dead_letters": {"task": "analytics.collect_dead_letters", "schedule": settings.collect_every_seconds},
        "recommend": {"task": "analytics.recommend", "schedule": settings.recommend_every_seconds},
    },
    batch_queues={
        AGGREGATE: BatchQueue(
            make_aggregate, prefetch=settings.prefetch_batches, window_seconds=settings.window_ms / 1000
        )
    },
)
tasks.register(
    app,
    {
        "analytics.collect_dead_letters": lambda: collect_dead_letters(app),
        "analytics.recommend": lambda: _recommender().fan_out(_send_users),
    },
    lambda users: _recommender().learn(users),
)


def make_collector() -> Any:
    """What an edge collects events with."""
    from analytics.usecases.collect import Collector, Limits
    from chassis.batch_publisher import BatchPublisher

    limits = Limits(
        batch_events=settings.batch_events,
        linger_seconds=settings.batch_linger_ms / 1000,
        buffer_events=settings.buffer_events,
        answer_seconds=settings.answer_seconds,
        late_ms=int(settings.late_hours * 3_600_000),
        future_ms=int(settings.future_seconds * 1000),
    )
    return Collector(BatchPublisher(app, AGGREGATE, threads=settings.publishers), limits, clock_ms=_clock_ms)


def make_api() -> Any:
    """The HTTP API, an ASGI application."""
    from analytics.adapters.counter_reader import RedisCounterReader
    from analytics.api import make_api as api

    reader = RedisCounterReader(settings.counters_url, timeout_seconds=settings.counters_timeout_seconds)
    return api(make_collector(), reader, reader, reader, ping=_ping, settings=settings, clock_ms=_clock_ms)


def _ping() -> None:
    """Ask the broker. Raises Transient when it does not answer."""
    with app.connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=settings.publish_timeout_seconds)
        except (OSError, *connection.connection_errors) as error:
            raise Transient(f"the broker does not answer: {error}") from error
