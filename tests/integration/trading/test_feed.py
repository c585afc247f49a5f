"""The market's feed over HTTP, with gaps, repetitions, bursts and bad ticks: what is kept is what the whole feed makes, told afterwards."""

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
    server = OutsideServer("outside.feed", tmp_path, options=("--rate", "1000", "--seed", "18")).start()
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


def test_candles_are_those_of_the_whole_feed_whatever_the_stream_left_out(feed, database_url):
    migrate(database_url, scripts_of("trading.audit"))
    store = SqlMarketStore(database_url, "market")
    reader = reader_of(feed, database_url)
    wait_until(lambda: store.sequence() > 1000, what="ticks", seconds=20)
    dropped = asked(feed, "POST", "/admin/drop", ticks=300).json()
    wait_until(lambda: store.sequence() > dropped["last"] + 300, what="what follows the gap", seconds=20)
    feed.crash()
    wait_until(lambda: bool(reader.check()), what="that the feed is away is told", seconds=20)
    feed.start()
    before = store.sequence()
    wait_until(
        lambda: store.sequence() > before + 500 and not reader.check(), what="the feed is followed again", seconds=20
    )
    counts = reader.counts()
    metrics = reader.metrics().decode()
    assert reader.stop()
    again = reader_of(feed, database_url)
    before = store.sequence()
    wait_until(lambda: store.sequence() > before + 500, what="a second reader goes on", seconds=20)
    assert again.stop()

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
    assert counts["repeated"] >= 1
    assert counts["unreadable"] >= 1
    assert 0 == counts["lost"]
    assert f"trading_feed_gaps_total {counts['gaps']}" in metrics


def test_what_cannot_be_had_is_given_up_and_counted(feed, database_url):
    migrate(database_url, scripts_of("trading.audit"))
    store = SqlMarketStore(database_url, "market")
    asked(feed, "PUT", "/admin/faults", rate={"server_error": 1.0}, expires_in_seconds=600.0)
    asked(feed, "POST", "/admin/drop", ticks=100)
    reader = reader_of(feed, database_url, gap_seconds=0.5)
    wait_until(lambda: reader.counts().get("lost", 0) >= 100, what="a gap given up", seconds=20)
    before = store.sequence()
    wait_until(lambda: store.sequence() > before, what="what follows it", seconds=20)

    assert reader.stop()
    assert "" == reader.check()
