"""The candles that a drill compares with are made without the service's code, and are the same."""

import pytest

from conductor.capstones.trading.reference_candles import BAND_BP, SPANS_US, candles
from outside.ticks import BASES_CENTS, Shares, Ticks
from trading.adapters.feed_lines import tick_from
from trading.domain import candles as service
from trading.domain.market_data import FeedHandler, Trade
from trading.settings import Settings

MUCH = Shares(crossed=0.05, bad=0.1, far=0.1)
SYMBOLS = {name: (number, "0.01") for number, name in enumerate(BASES_CENTS, start=1)}
NAMES = {number: name for name, (number, _) in SYMBOLS.items()}


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_the_service(seed: int) -> None:
    feed = Ticks(seed, 20.0, 1_700_000_000_000_000, MUCH)
    told = [feed.tick(number) for number in range(1, 3001)]
    handler = FeedHandler(band_bp=BAND_BP)
    believed = [one for tick in told for one in handler.take(tick_from(tick, SYMBOLS, 2**62))]

    made = service.candles([one for one in believed if isinstance(one, Trade)], SPANS_US)

    expected = {
        (NAMES[symbol], span, begin): (one.open, one.high, one.low, one.close, one.quantity, one.trades)
        for (symbol, span, begin), one in made.items()
    }
    assert expected == candles(told)
    assert sum(handler.refused.values()) > 100


def test_the_band_is_that_of_the_service() -> None:
    assert Settings.model_fields["feed_band_bp"].default == BAND_BP
