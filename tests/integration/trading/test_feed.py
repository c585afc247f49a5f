"""The market's feed over HTTP, with gaps, repetitions, bursts and bad ticks: what is kept is what the whole feed makes, told afterwards."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chassis.migrate import migrate, scripts_of
from outside.ticks import BASES_CENTS
from servers import wait_until
from trading.adapters.feed_client import FeedClient
from trading.adapters.feed_lines import tick_from
from trading.adapters.market_store import SqlMarketStore
from trading.domain.candles import candles
from trading.domain.market_data import FeedHandler, Trade
from trading.processes.feed import FeedReader
from trading.usecases.market_data import SPANS_US, MarketData

sys.path.insert(0, str(Path(__file__).parents[2] / "contract"))

from outside_servers import ADMIN, OutsideServer

SYMBOLS = {name: (number, "0.01") for number, name in enumerate(BASES_CENTS, start=1)}
BAND_BP = 1000


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[OutsideServer]:
    server = OutsideServer("outside.feed", tmp_path, options=("--rate", "300", "--seed", "18")).start()
    yield server
    server.crash()


def url_of(feed: OutsideServer) -> str:
    return f"http://127.0.0.1:{feed.ports[0]}"


def reader_of(feed: OutsideServer, database: str, gap_seconds: float = 60.0) -> FeedReader:
    made = FeedReader(
        FeedClient(url_of(feed), timeout_seconds=2.0),
        lambda: MarketData(SqlMarketStore(database, "market"), band_bp=BAND_BP),
        SYMBOLS,
        gap_seconds=gap_seconds,
    )
    made.start()
    return made


@contextlib.contextmanager
def worker_of(feed: OutsideServer, database: str, broker: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the market pool, killed at the end."""
    told = {"FEED_URL": url_of(feed), "DATABASE_URL": database, "BROKER_URL": broker, "FEED_BAND_BP": str(BAND_BP)}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "celery", "--app", "trading.app", "worker", "--queues", "trading.market", "--pool", "solo",
                "--concurrency", "1", "--hostname", "market@test", "--without-gossip", "--without-mingle",
                "--prefetch-multiplier", "1", "--time-limit", "20", "--soft-time-limit", "10", "--disable-prefetch",
            ],
            env={**os.environ, **told}, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def asked(feed: OutsideServer, method: str, path: str, **body: object) -> httpx.Response:
    answer = httpx.request(method, url_of(feed) + path, headers=ADMIN, json=body or None)
    assert answer.status_code == 200, answer.text
    return answer


def whole_feed(feed: OutsideServer, last: int) -> list:
    found: list = []
    while len(found) < last:
        some = httpx.get(
            f"{url_of(feed)}/feed/ticks", params={"first": len(found) + 1, "last": min(len(found) + 1000, last)}
        )
        found += some.json()["ticks"]
    return found


def test_candles_are_those_of_the_whole_feed_whatever_happens(feed, database_url, redis_url, tmp_path):
    migrate(database_url, scripts_of("trading.audit"))
    store = SqlMarketStore(database_url, "market")
    reader = reader_of(feed, database_url)
    wait_until(lambda: store.sequence() > 300, what="ticks", seconds=60)
    dropped = asked(feed, "POST", "/admin/drop", ticks=300).json()
    asked(feed, "POST", "/admin/disorder", ticks=390)
    wait_until(lambda: store.sequence() > dropped["last"] + 100, what="what follows the gap", seconds=60)
    feed.crash()
    wait_until(lambda: bool(reader.check()), what="that the feed is away is told", seconds=60)
    assert "trading_feed_followed 0\n" in reader.metrics().decode()
    feed.start()
    before = store.sequence()
    wait_until(
        lambda: store.sequence() > before + 100 and not reader.check(), what="the feed is followed again", seconds=60
    )
    counts = reader.counts()
    metrics = reader.metrics().decode()
    assert "trading_feed_followed 1\n" in metrics
    assert reader.stop()
    for ended in (signal.SIGKILL, signal.SIGTERM):
        before = store.sequence()
        with worker_of(feed, database_url, redis_url, tmp_path / "worker.log") as worker:
            wait_until(
                lambda: store.sequence() > before + 100,  # noqa: B023
                what="a worker goes on",
                seconds=90,
            )
            worker.send_signal(ended)
            assert worker.wait(20) == (0 if ended == signal.SIGTERM else -ended)

    last, handler = store.sequence(), FeedHandler(band_bp=BAND_BP)
    latest_us = time.time_ns() // 1000
    believed = [one for told in whole_feed(feed, last) for one in handler.take(tick_from(told, SYMBOLS, latest_us))]
    expected = candles([one for one in believed if isinstance(one, Trade)], SPANS_US)
    for symbol, _ in SYMBOLS.values():
        for span in SPANS_US:
            made = {begin: one for (s, length, begin), one in expected.items() if (s, length) == (symbol, span)}
            assert made == store.candles(symbol, span)
    assert counts["refilled"] >= 300
    assert counts["gaps"] >= 1
    assert counts["repeated"] >= 90
    assert handler.refused
    assert 0 == counts["lost"]
    assert f"trading_feed_gaps_total {counts['gaps']}" in metrics


def test_what_cannot_be_had_is_given_up_and_counted(feed, database_url):
    migrate(database_url, scripts_of("trading.audit"))
    store = SqlMarketStore(database_url, "market")
    asked(feed, "PUT", "/admin/faults", rate={"server_error": 1.0}, expires_in_seconds=600.0)
    asked(feed, "POST", "/admin/drop", ticks=100)
    reader = reader_of(feed, database_url, gap_seconds=0.5)
    wait_until(lambda: reader.counts().get("lost", 0) >= 100, what="a gap given up", seconds=60)
    before = store.sequence()
    wait_until(lambda: store.sequence() > before, what="what follows it", seconds=60)

    assert reader.stop()
    assert "" == reader.check()
