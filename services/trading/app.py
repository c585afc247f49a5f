"""Where the parts meet: the Celery app and the engine pool of the trading service, made from the environment's settings.

Workers import this module before anything else, so it opens nothing; what a process needs is made when it is first asked for.
"""

import threading
import time
from functools import cache
from typing import Any

from chassis.app import make_app
from chassis.batch_consumer import BatchQueue
from chassis.companion import CompanionOf
from chassis.dead_letters import collect_dead_letters
from chassis.errors import Transient
from trading import tasks
from trading.ports import DoorError
from trading.queues import ENGINE, MARKET, PORTFOLIO, QUEUES, SERVICE
from trading.settings import COMPANY, Settings

SETTINGS = Settings

settings = Settings()

DAY_SECONDS = 86_400


_making = threading.Lock()


def make_shard() -> Any:
    """Engine, gateway, keeper and tail of the shard in `DATA_DIR`, owned by this process: the same one for whoever asks, from any thread.

    Raises ValueError for unreadable tokens.
    """
    # The first tick of the clock may ask while the companion's thread makes it.
    with _making:
        return _shard()


@cache
def _shard() -> Any:
    from trading.adapters.directory_file import write_directory
    from trading.callers import callers
    from trading.processes import tail
    from trading.processes.companion import ShardCompanion
    from trading.processes.followers import Follower
    from trading.processes.owner import KEEPER
    from trading.processes.settings import ShardSettings

    folder = settings.data_dir.absolute()
    directory = folder / "directory.json"
    write_directory(directory, COMPANY, settings.instruments, callers(settings.api_tokens.get_secret_value()))
    return ShardCompanion(
        ShardSettings(
            folder,
            directory,
            shard=settings.shard,
            heads=settings.heads_file,
            heads_key=settings.heads_key_file,
            level=settings.acknowledgement_level,
            host=settings.host,
            port=settings.fix_port,
            door_port=settings.door_port,
            engine_core=settings.engine_core,
            silent_seconds=settings.silent_seconds,
            snapshot_inputs=settings.snapshot_inputs,
            segment_bytes=settings.journal_segment_bytes,
        ),
        (KEEPER, Follower("tail", tail.main, (make_journal_sink,))),
    )


def make_journal_sink() -> Any:
    """Where a tail publishes the blocks of its journal. One thread, so that they come in order."""
    from chassis.batch_publisher import BatchPublisher

    return BatchPublisher(app, PORTFOLIO, threads=1)


def make_portfolio() -> Any:
    """What applies batches of journals to the positions, with a connection to the database of its own."""
    from trading.adapters.portfolio_store import SqlPortfolioStore
    from trading.usecases.portfolio import ApplyJournal

    return ApplyJournal(SqlPortfolioStore(settings.database_url, pooler=settings.behind_pooler), settings.fees)


def make_feed() -> Any:
    """What follows the market's data feed. Raises ValueError without FEED_URL."""
    from trading.adapters.feed_client import FeedClient
    from trading.adapters.market_store import SqlMarketStore
    from trading.processes.feed import FeedReader
    from trading.usecases.market_data import MarketData

    if not settings.feed_url:
        raise ValueError("FEED_URL is not set")
    store = SqlMarketStore(settings.database_url, settings.feed_name, pooler=settings.behind_pooler)
    return FeedReader(
        FeedClient(settings.feed_url, timeout_seconds=settings.feed_timeout_seconds),
        lambda: MarketData(store, band_bp=settings.feed_band_bp),
        {name: (one.id, one.tick) for name, one in settings.instruments.items()},
        gap_seconds=settings.feed_gap_seconds,
    )


def _say(*record: int) -> None:
    """Tell the engine of this worker something. Raises Transient when it did not take it, or nobody knows whether it did: what the clock
    says comes again."""
    from trading.adapters.control_client import ask

    try:
        ask(settings.data_dir.absolute() / "control", *record)
    except DoorError as error:
        raise Transient(str(error)) from error


def begin_day() -> None:
    """Tell the engine of this worker which day it is, in UTC. One that has begun is refused by the engine, which changes nothing.

    Raises Transient.
    """
    from trading.domain.terms import Input

    _say(Input.DAY, int(time.time()) // DAY_SECONDS)


@cache
def _latency_watch() -> Any:
    from trading.adapters.board import FIRST_POWER
    from trading.adapters.latency_store import SqlLatencyStore
    from trading.usecases.latency import LatencyWatch

    store = SqlLatencyStore(settings.database_url, kept_days=settings.latency_kept_days)
    budgets_us = {0.5: settings.latency_p50_budget_us, 0.99: settings.latency_p99_budget_us}
    return LatencyWatch(store, settings.shard, make_shard().durations, FIRST_POWER, budgets_us)


def write_sessions() -> None:
    """Write the market's sessions ahead, once a day. Raises Transient when that failed."""
    import subprocess
    import sys

    from trading.adapters.session_store import SqlSessionStore

    today = int(time.time()) // DAY_SECONDS
    if SqlSessionStore(settings.database_url, settings.market_calendar).written_on() == today:
        return
    # In a process of its own, with which 160 MB of calendar are gone again.
    done = subprocess.run(
        [sys.executable, "-m", "trading.write_sessions"], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise Transient(f"no sessions were written: {done.stderr.strip()[-500:]}")


def follow_sessions() -> None:
    """Open or close this worker's shard by the market's sessions. Raises Transient."""
    from trading.adapters.session_store import SqlSessionStore
    from trading.domain.sessions import Unwritten
    from trading.usecases.market_hours import follow

    store = SqlSessionStore(settings.database_url, settings.market_calendar)
    symbols = [one.id for one in settings.instruments.values()]
    try:
        follow(store, time.time_ns() // 1000, settings.data_dir.absolute() / "session", symbols, _say)
    except Unwritten as error:
        # As before the first time that they are written.
        raise Transient(str(error)) from error
    except OSError as error:
        raise Transient(f"which phase was said last cannot be read or kept: {error}") from error


@cache
def _reference_prices() -> Any:
    from trading.adapters.market_store import SqlMarketStore
    from trading.usecases.reference_prices import ReferencePrices

    store = SqlMarketStore(settings.database_url, settings.feed_name, pooler=settings.behind_pooler)
    return ReferencePrices(store.last_prices, _say)


def tell_reference_prices() -> None:
    """Tell the engine of this worker the market's last prices. Raises Transient."""
    from trading.adapters.depth_files import listed

    _reference_prices().tell(listed(settings.data_dir.absolute()), time.time_ns() // 1000)


def _of_the_feed() -> dict[str, Any]:
    schedule = settings.reference_every_seconds
    options = {"queue": ENGINE}
    return {
        "tell_reference_prices": {"task": "trading.tell_reference_prices", "schedule": schedule, "options": options}
    }


def _of_the_calendar() -> dict[str, Any]:
    return {
        "write_sessions": {"task": "trading.write_sessions", "schedule": 60.0},
        "follow_sessions": {
            "task": "trading.follow_sessions",
            "schedule": settings.sessions_every_seconds,
            "options": {"queue": ENGINE},
        },
    }


app = make_app(
    SERVICE,
    QUEUES,
    settings,
    beat_schedule={
        "collect_dead_letters": {"task": "trading.collect_dead_letters", "schedule": settings.collect_every_seconds},
        "begin_day": {
            "task": "trading.begin_day",
            "schedule": settings.begin_day_every_seconds,
            "options": {"queue": ENGINE},
        },
        "measure_latency": {
            "task": "trading.measure_latency",
            "schedule": settings.latency_every_seconds,
            "options": {"queue": ENGINE},
        },
        **(_of_the_calendar() if settings.market_calendar else {}),
        **(_of_the_feed() if settings.reference_every_seconds else {}),
    },
    batch_queues={
        PORTFOLIO: BatchQueue(
            make_portfolio,
            prefetch=settings.portfolio_prefetch_batches,
            window_seconds=settings.portfolio_window_ms / 1000,
        ),
    },
    companions={
        ENGINE: CompanionOf(make_shard, serves_without_broker=True),
        # A feed or a database that is away is not mended by another worker.
        MARKET: CompanionOf(make_feed, patience_seconds=1e9, serves_without_broker=True),
    },
)
tasks.register(
    app,
    {
        "trading.collect_dead_letters": lambda: collect_dead_letters(app),
        "trading.begin_day": begin_day,
        "trading.measure_latency": lambda: _latency_watch().measure(),
        "trading.write_sessions": write_sessions,
        "trading.follow_sessions": follow_sessions,
        "trading.tell_reference_prices": tell_reference_prices,
    },
)


def make_api() -> Any:
    """The HTTP API, an ASGI application."""
    from trading.adapters.door_client import DoorClient
    from trading.adapters.views import SqlViews
    from trading.api import make_api as api

    door = DoorClient(settings.engine_host, settings.door_port, answer_seconds=settings.answer_seconds)
    views = SqlViews(settings.database_url, feed=settings.feed_name, pooler=settings.behind_pooler)
    return api(door, views, settings)
