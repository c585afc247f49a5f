"""Candles in PostgreSQL equal an offline computation, and those of a feed that is interrupted those of one that is not."""

import gzip
import json
from pathlib import Path

import bokeh_sampledata
import pandas
import pytest

from chassis.migrate import migrate, scripts_of
from trading import load_bars
from trading.adapters.market_store import FeedMoved, SqlMarketStore
from trading.domain.candles import DAY_US, candles
from trading.domain.market_data import LastPrices, Trade
from trading.usecases.market_data import SPANS_US, MarketData

STOCKS = Path(bokeh_sampledata.__file__).parent / "_data" / "stocks.csv.gz"
NUMBERS = {"AAPL": 1, "FB": 2, "GOOG": 3, "IBM": 4, "MSFT": 5}
COLUMNS = ["Open", "High", "Low", "Close", "Volume"]


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the settings of the service in the environment."""
    migrate(database_url, scripts_of("trading.audit"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("BROKER_URL", "amqp://localhost//")
    return database_url


def test_thirteen_years_of_five_symbols_are_what_pandas_makes_of_them(database, capsys):
    assert 0 == load_bars.main([str(STOCKS)])

    told = json.loads(capsys.readouterr().out)
    assert (10_829, 1_325) == (told["bars"], told["refused"])
    assert "is no multiple of the tick 0.01" in told["named"][0]
    frame = pandas.read_csv(STOCKS, parse_dates=["Date"])
    cents = frame[COLUMNS[:4]] * 100
    whole = frame[((cents - cents.round()).abs() < 1e-6).all(axis=1)]
    store = SqlMarketStore(database, STOCKS.name)
    for name, number in NUMBERS.items():
        of_symbol = whole[whole.Ticker == name].set_index("Date")
        expected = [
            (int(begin.timestamp()) * 10**6, *(round(row[column] * 100) for column in COLUMNS[:4]), int(row.Volume))
            for begin, row in of_symbol.iterrows()
        ]
        found = store.candles(number, DAY_US)
        assert expected == [(begin, c.open, c.high, c.low, c.close, c.quantity) for begin, c in found.items()]
        # Years, made of the days on both sides.
        by_year = of_symbol.groupby(of_symbol.index.year).agg(
            {"Open": "first", "High": "max", "Low": "min", "Close": "last", "Volume": "sum"}
        )
        years = {}
        for begin, candle in found.items():
            year = pandas.Timestamp(begin, unit="us").year
            years[year].add(candle) if year in years else years.update({year: candle})
        assert [tuple(round(row[column] * 100) for column in COLUMNS[:4]) for _, row in by_year.iterrows()] == [
            (c.open, c.high, c.low, c.close) for c in years.values()
        ]
        assert [int(volume) for volume in by_year.Volume] == [c.quantity for c in years.values()]
        assert round(of_symbol.Close.iloc[-1] * 100) == store.last_prices()[number].price


def test_a_file_is_loaded_once(database, tmp_path, capsys):
    lines = gzip.decompress(STOCKS.read_bytes()).decode().splitlines()[:200]
    path = tmp_path / "bars.csv"
    for count in (100, 200, 200):
        path.write_text("\n".join(lines[:count]))
        assert 0 == load_bars.main([str(path)])
    bars = json.loads(capsys.readouterr().out.splitlines()[-1])["bars"]

    days = SqlMarketStore(database, "bars.csv").candles(1, DAY_US)
    assert bars == len(days)
    assert {4} == {candle.trades for candle in days.values()}
    path.write_text("Date,Open\n")
    assert 2 == load_bars.main([str(path)])
    assert "has no column Ticker, High, Low, Close, Volume" in capsys.readouterr().err


def test_what_was_saved_counts_once_and_who_comes_second_is_told(database):
    ticks = [Trade(number, number * 30_000_000, 1, 100 + number % 7, number) for number in range(1, 101)]
    first = MarketData(SqlMarketStore(database, "feed"), band_bp=0)
    first.take(ticks[:40])
    other = MarketData(SqlMarketStore(database, "feed"), band_bp=0)
    other.take(ticks[:20])
    other.save()

    with pytest.raises(FeedMoved, match="feed feed is at 20, not at 0"):
        first.save()
    again = MarketData(SqlMarketStore(database, "feed"), band_bp=0)
    again.take(ticks)
    again.save()
    again.save()

    store = SqlMarketStore(database, "feed")
    expected = {begin: candle for (_, span, begin), candle in candles(ticks, SPANS_US).items() if span == SPANS_US[0]}
    assert expected == store.candles(1, SPANS_US[0])
    assert (100, {1: LastPrices(at_us=3 * 10**9, price=102)}) == (store.sequence(), store.last_prices())


def test_a_save_whose_answer_was_lost_counts_once(database, monkeypatch):
    store = SqlMarketStore(database, "feed")
    data = MarketData(store, band_bp=0)
    data.take([Trade(1, 5, 1, 100, 3)])

    def lost(*arguments, **named):
        monkeypatch.undo()
        store_again = SqlMarketStore(database, "feed")
        store_again.save(0, 1, candles([Trade(1, 5, 1, 100, 3)], SPANS_US), {})
        raise ConnectionError("the answer was lost")

    monkeypatch.setattr(store, "save", lost)
    with pytest.raises(ConnectionError):
        data.save()
    data.take([Trade(2, 6, 1, 101, 4)])
    data.save()
    data.save()

    (candle,) = store.candles(1, DAY_US).values()
    assert (7, 2, 2) == (candle.quantity, candle.trades, store.sequence())
