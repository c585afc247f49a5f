"""Profit and loss over thirteen years of real prices is what pandas makes of them, day by day."""

from pathlib import Path
from random import Random

import bokeh_sampledata
import pandas
import pytest

from trading.adapters.bar_files import Bar, bars
from trading.domain.inputs import List, MarketData
from trading.domain.outcomes import Executed
from trading.domain.portfolio import FeeSchedule, Portfolio, unrealised_minor, value_minor
from trading.domain.terms import BUY, SELL, Input, Outcome

STOCKS = Path(bokeh_sampledata.__file__).parent / "_data" / "stocks.csv.gz"
SYMBOLS = {"AAPL": (1, "0.01"), "FB": (2, "0.01"), "GOOG": (3, "0.01"), "IBM": (4, "0.01"), "MSFT": (5, "0.01")}
TAKER_PPM = 250


@pytest.mark.parametrize("name", SYMBOLS)
def test_a_day_earns_the_lots_of_the_night_times_the_change_of_the_price(name):
    rng, number = Random(name), SYMBOLS[name][0]
    closes = [bar.close for bar in bars(STOCKS, SYMBOLS) if isinstance(bar, Bar) and bar.symbol == number]
    changes = [rng.choice((0, 0, 1, 1, -1)) * rng.randint(1, 300) for _ in closes]
    portfolio = Portfolio(FeeSchedule(0, TAKER_PPM))
    portfolio.apply(List(Input.LIST, number, 1, 5000), [])

    earned, worth = [], []
    for trade, (price, lots) in enumerate(zip(closes, changes, strict=True), start=1):
        portfolio.apply(MarketData(Input.MARKET_DATA, number, price), [])
        if lots:
            side, quantity = (BUY, lots) if lots > 0 else (SELL, -lots)
            executed = Executed(
                Outcome.EXECUTED, 1, trade, trade, 1, number, side, price, quantity, quantity, 0, 0, trade, 0
            )
            portfolio.apply((Input.NEW,), [executed])
        position, instrument = portfolio.positions.get((1, number)), portfolio.instruments[number]
        earned.append(position.realised_minor + unrealised_minor(position, instrument) if position else 0)
        worth.append(value_minor(position, instrument) if position else 0)

    frame = in_cents(pandas.read_csv(STOCKS).query("Ticker == @name"))
    assert frame.close.tolist() == closes
    frame["change"] = changes
    frame["lots"] = frame.change.cumsum()
    expected = (frame.lots.shift(fill_value=0) * frame.close.diff().fillna(0)).cumsum().astype("int64")
    assert expected.tolist() == earned
    assert (frame.lots * frame.close).tolist() == worth
    fees = -((frame.change.abs() * frame.close * -TAKER_PPM) // 1_000_000)
    assert fees.sum() == portfolio.positions[1, number].fees_minor


def in_cents(bars: pandas.DataFrame) -> pandas.DataFrame:
    """The closes in cents, of days with no price between two cents."""
    cents = bars[["Open", "High", "Low", "Close"]] * 100
    whole = cents[((cents - cents.round()).abs() < 1e-6).all(axis=1)]
    return pandas.DataFrame({"close": whole.Close.round().astype("int64")}).reset_index(drop=True)
