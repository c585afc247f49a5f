"""Where the parts meet: the Celery app, the aggregator and the API of the analytics, made from the environment's settings.

Workers import this module before anything else, so it opens nothing; what a process needs is made when it is first asked for.
"""

import time
import uuid
from functools import cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from analytics import tasks
from analytics.queues import ARCHIVE, RECOMMEND, RECOMMEND_USERS, REPORTS, SERVICE, aggregate, queues
from analytics.settings import Settings
from chassis.app import make_app
from chassis.batch_consumer import BatchQueue
from chassis.dead_letters import collect_dead_letters
from chassis.errors import Transient

SETTINGS = Settings

settings = Settings()

AGGREGATES = tuple(map(aggregate, range(settings.counters_shards)))
"""The queue of each shard."""


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


def _counters() -> Any:
    from analytics.adapters.store_clients import StoreAddress

    return StoreAddress(settings.counters_url, settings.counters_shards, settings.counters_timeout_seconds)


def _recommendations() -> Any:
    """Where recommendations and what they are learned from are."""
    from analytics.adapters.store_clients import StoreAddress

    if not settings.recommendations_url:
        return _counters()
    return StoreAddress(settings.recommendations_url, timeout_seconds=settings.counters_timeout_seconds)


def make_aggregate(shard: int) -> Any:
    """What counts the batches of a shard, with connections to the counters of its own. Raises Transient."""
    from analytics.adapters.counter_store import RedisCounterStore
    from analytics.usecases.aggregate import Aggregate

    counters = _counters()
    store = RedisCounterStore(
        counters.client(),
        counters.every_shard[shard],
        replicas=settings.counters_replicas,
        replicas_seconds=settings.counters_timeout_seconds / 2,
        minute_seconds=settings.minute_retention_hours * 3600,
        hour_seconds=settings.hour_retention_days * 86_400,
        dedup_ms=settings.dedup_ms,
    )
    board, engagement_store = counters.client(), _engagement_store()
    observers = []
    if settings.trends:
        from analytics.adapters.trend_board import RedisTrendBoard
        from analytics.usecases.trend_watch import TrendWatch

        watch = TrendWatch(
            RedisTrendBoard(board),
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

        engagements = EngagementLog(engagement_store, per_second=settings.engagements_per_second)
        engagements.start()
        observers.append(engagements.observe)
    return Aggregate(store, oldest_ms=settings.dedup_ms // 2, clock_ms=_clock_ms, observers=observers)


def make_archiver() -> Any:
    """What archives batches. Raises Transient without ARCHIVE_URL, so that what was copied for it stays in its queue."""
    from analytics.usecases.archiver import Archiver

    return Archiver(make_archive())


def make_archive() -> Any:
    """The archive's files, as they are written. Raises Transient without ARCHIVE_URL."""
    if not settings.archive_url:
        raise Transient("ARCHIVE_URL is not set")
    from analytics.adapters.archive_files import ArchiveFiles

    return ArchiveFiles(settings.archive_url)


def _archive_query(files: Any) -> Any:
    from analytics.adapters.archive_query import ArchiveQuery

    late_ms, future_ms = int(settings.late_hours * 3_600_000), int(settings.future_seconds * 1000)
    return ArchiveQuery(files, late_ms=late_ms, future_ms=future_ms)


def make_reports() -> Any:
    """What makes reports. Raises Transient without ARCHIVE_URL."""
    from analytics.adapters.revision_store import SqlRevisionStore
    from analytics.usecases.reports import Reports

    files = make_archive()
    return Reports(
        _archive_query(files), files, SqlRevisionStore(settings.database_url),
        zone=ZoneInfo(settings.report_zone), days=settings.report_days,
        settle_seconds=settings.report_settle_seconds, clock_ms=_clock_ms,
    )  # fmt: skip


def expire_archive() -> None:
    """Remove what is older than the archive is kept. Raises Transient."""
    make_archive().remove_before(_clock_ms() // 3_600_000 - settings.archive_retention_days * 24)


def make_erasure() -> Any:
    """What erases users; from the archive where there is one."""
    from analytics.adapters.erasing import CounterErasure, ParkedErasure, RecommendationErasure, SqlReceipts
    from analytics.ports.erasure import Place
    from analytics.usecases.erasure import Erasure

    counters = _counters()
    places: list[tuple[str, Place]] = [
        ("counters", CounterErasure(counters.client(), counters.every_shard)),
        ("recommendations", RecommendationErasure(_recommendations().client())),
        ("parked", ParkedErasure(settings.database_url, (*AGGREGATES, ARCHIVE, RECOMMEND))),
    ]
    if settings.archive_url:
        from analytics.adapters.archive_erasure import ArchiveErasure

        places.append(("archive", ArchiveErasure(make_archive())))
    return Erasure(places, SqlReceipts(settings.database_url), clock_ms=_clock_ms)


def make_recount() -> Any:
    """What compares the archive with the counters. Raises Transient without ARCHIVE_URL."""
    from analytics.adapters.counter_snapshot import CounterSnapshot
    from analytics.usecases.recount import Recount

    counters = _counters()
    return Recount(
        _archive_query(make_archive()), CounterSnapshot(counters.client(decode_responses=True), counters.every_shard), clock_ms=_clock_ms,
        minute_hours=settings.minute_retention_hours, hour_days=settings.hour_retention_days,
    )  # fmt: skip


def _engagement_store() -> Any:
    from analytics.adapters.engagement_store import RedisEngagementStore

    return RedisEngagementStore(
        _recommendations().client(decode_responses=True),
        kept_seconds=settings.engagement_retention_days * 86_400,
    )


@cache
def _recommender() -> Any:
    from analytics.usecases.recommendations import Recommender

    return Recommender(
        _engagement_store(), chunk=settings.recommend_chunk, chunks=settings.recommend_chunks, queued=settings.recommend_queued
    )  # fmt: skip


@cache
def _chunks_queue() -> Any:
    from chassis.queue_lengths import QueueLengths

    # What is sent makes the queue.
    return QueueLengths(app, (RECOMMEND,), missing=0)


def _fan_out() -> None:
    _recommender().fan_out(_chunks_queue().read()[RECOMMEND], _send_users)


def _send_users(users: list[str]) -> None:
    app.send_task(RECOMMEND_USERS, kwargs={"v": 1, "users": users}, queue=RECOMMEND)


def _of_the_archive() -> dict[str, Any]:
    """What the clock does with the archive: only its pool has what reads it."""
    options = {"queue": REPORTS}
    return {
        "report": {"task": "analytics.report", "schedule": settings.report_every_seconds, "options": options},
        "expire_archive": {"task": "analytics.expire_archive", "schedule": 3600.0, "options": options},
    }


app = make_app(
    SERVICE,
    queues(settings.counters_shards),
    settings,
    beat_schedule={
        "collect_dead_letters": {"task": "analytics.collect_dead_letters", "schedule": settings.collect_every_seconds},
        "recommend": {"task": "analytics.recommend", "schedule": settings.recommend_every_seconds},
        **(_of_the_archive() if settings.archive_url else {}),
    },
    batch_queues={
        **{
            queue: BatchQueue(
                partial(make_aggregate, shard),
                prefetch=settings.prefetch_batches,
                window_seconds=settings.window_ms / 1000,
            )
            for shard, queue in enumerate(AGGREGATES)
        },
        ARCHIVE: BatchQueue(
            make_archiver,
            prefetch=settings.archive_prefetch_batches,
            window_seconds=settings.archive_window_seconds,
            copies_of=AGGREGATES if settings.archive_url else (),
        ),
    },
)
tasks.register(
    app,
    {
        "analytics.collect_dead_letters": lambda: collect_dead_letters(app),
        "analytics.report": lambda: make_reports().make(),
        "analytics.expire_archive": expire_archive,
        "analytics.recommend": _fan_out,
    },
    lambda users: _recommender().learn(users),
)


def make_collector(*, backfill: bool = False) -> Any:
    """What an edge collects events with. A backfill has publishers of its own, so that present and past do not wait for each other; so
    has each shard, so that one whose queue takes nothing holds up no other."""
    from analytics.usecases.collect import Collectors, Limits
    from chassis.batch_publisher import BatchPublisher

    limits = Limits(
        batch_events=settings.batch_events,
        linger_seconds=settings.batch_linger_ms / 1000,
        buffer_events=(settings.buffer_events // 4 if backfill else settings.buffer_events) // settings.counters_shards,
        answer_seconds=settings.answer_seconds,
        late_ms=int(settings.late_hours * 3_600_000),
        future_ms=int(settings.future_seconds * 1000),
        user_events_per_minute=0 if backfill else settings.user_events_per_minute,
        backfill=backfill,
    )
    threads = 1 if backfill else settings.publishers
    sinks = [BatchPublisher(app, queue, threads=threads) for queue in AGGREGATES]
    return Collectors(sinks, limits, clock_ms=_clock_ms)


def make_api() -> Any:
    """The HTTP API, an ASGI application."""
    from analytics.adapters.counter_reader import RedisCounterReader
    from analytics.api import make_api as api
    from chassis.queue_lengths import QueueLengths

    counters = _counters()
    reader = RedisCounterReader(counters.async_client(), counters.every_shard)
    recommendations = RedisCounterReader(_recommendations().async_client(), counters.every_shard)
    events, backfill = make_collector(), make_collector(backfill=True)
    return api(
        events, backfill, reader, reader, recommendations, reader,
        ping=_ping, lengths=QueueLengths(app, AGGREGATES), settings=settings, clock_ms=_clock_ms,
    )  # fmt: skip


def _ping() -> None:
    """Ask the broker. Raises Transient when it does not answer."""
    with app.connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=settings.publish_timeout_seconds)
        except (OSError, *connection.connection_errors) as error:
            raise Transient(f"the broker does not answer: {error}") from error
