"""Whatever order a feed's ticks come in, those to believe come once and in order; the others are counted by the rule that they break."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outside.ticks import BASES_CENTS, Shares, Ticks
from trading.adapters.feed_lines import NoTick, tick_from, tick_of
from trading.domain.candles import DAY_US, MINUTE_US, candles
from trading.domain.market_data import FAR_TRADES, FeedHandler, Quote, Refusal, Refused, Trade

SYMBOLS = {name: (number, "0.01") for number, name in enumerate(BASES_CENTS, start=1)}
LATEST_US = 2 * 10**15


def trade(sequence, price=100, quantity=1, at_us=None, symbol=1):
    return Trade(sequence, sequence * 1000 if at_us is None else at_us, symbol, price, quantity)


def quote(sequence, bid, ask, size=1):
    return Quote(sequence, sequence * 1000, 1, bid, size, ask, size)


def taken(handler, *ticks):
    return [one.sequence for tick in ticks for one in handler.take(tick)]


@given(st.permutations(range(1, 13)), st.data())
def test_any_order_with_repetitions_gives_each_tick_once_in_order(order, data):
    handler = FeedHandler()
    again = data.draw(st.lists(st.sampled_from(order), max_size=5))

    assert list(range(1, 13)) == taken(handler, *map(trade, order), *map(trade, again))
    assert (len(again), 0, None, 12) == (handler.repeated, handler.lost, handler.missing, handler.sequence)


def test_a_gap_is_named_refilled_and_the_next_one_behind_it_named():
    handler = FeedHandler(after=10)
    assert [11] == taken(handler, trade(11), trade(14), trade(15), trade(18))

    assert (12, 13) == handler.missing
    assert [12, 13, 14, 15] == taken(handler, trade(12), trade(13))
    assert (16, 17) == handler.missing
    assert [18] == [one.sequence for one in handler.give_up()]
    assert (2, 2, 2, None) == (handler.gaps, handler.refilled, handler.lost, handler.missing)


def test_too_many_that_wait_end_the_wait():
    handler = FeedHandler(most_waiting=3)

    assert [3, 4, 5, 6] == taken(handler, trade(3), trade(4), trade(5), trade(6))
    assert 2 == handler.lost


@pytest.mark.parametrize(
    ("tick", "refusal"),
    [
        (trade(2, price=0), Refusal.OUT_OF_RANGE),
        (trade(2, price=-5), Refusal.OUT_OF_RANGE),
        (trade(2, price=10**9 + 1), Refusal.OUT_OF_RANGE),
        (trade(2, quantity=0), Refusal.OUT_OF_RANGE),
        (quote(2, 0, 5), Refusal.OUT_OF_RANGE),
        (quote(2, 4, 5, size=0), Refusal.OUT_OF_RANGE),
        (trade(2, at_us=999), Refusal.BACKWARDS),
        (quote(2, 101, 100), Refusal.CROSSED),
        (quote(2, 100, 100), Refusal.CROSSED),
        (trade(2, price=111), Refusal.FAR),
        (trade(2, price=89), Refusal.FAR),
        (Refused(2, Refusal.UNREADABLE), Refusal.UNREADABLE),
    ],
)
def test_a_tick_that_cannot_be_believed_uses_its_number_and_is_counted(tick, refusal):
    handler = FeedHandler(band_bp=1000)

    assert [1, 3] == taken(handler, trade(1), tick, trade(3, price=110))
    assert {refusal: 1} == handler.refused


def test_a_market_that_moved_is_believed_and_an_outlier_is_not():
    handler = FeedHandler(band_bp=1000)

    assert [1, 3] == taken(handler, trade(1), trade(2, price=1000), trade(3, price=101))
    assert [6] == taken(handler, *(trade(number, price=50) for number in range(4, 4 + FAR_TRADES)))
    assert [7] == taken(handler, trade(7, price=52))


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"price": "NaN"}, Refusal.UNREADABLE),
        ({"price": "100.005"}, Refusal.UNREADABLE),
        ({"price": "-1.00"}, Refusal.UNREADABLE),
        ({"price": "1e3"}, Refusal.UNREADABLE),
        ({"price": 100.05}, Refusal.UNREADABLE),
        ({"price": None}, Refusal.UNREADABLE),
        ({"size": 1.5}, Refusal.UNREADABLE),
        ({"size": True}, Refusal.UNREADABLE),
        ({"type": "news"}, Refusal.UNREADABLE),
        ({"type": ["trade"]}, Refusal.UNREADABLE),
        ({"at_us": "now"}, Refusal.UNREADABLE),
        ({"at_us": 1 << 80}, Refusal.AHEAD),
        ({"symbol": "XXX"}, Refusal.UNKNOWN_SYMBOL),
        ({"symbol": ["IBM"]}, Refusal.UNKNOWN_SYMBOL),
    ],
)
def test_lines_that_are_no_tick_of_a_symbol(changed, refusal):
    good = {"seq": 7, "at_us": 5, "symbol": "IBM", "type": "trade", "price": "100.05", "size": 3}

    assert Trade(7, 5, 4, 10005, 3) == tick_of(json.dumps(good).encode(), SYMBOLS, LATEST_US)
    assert Refused(7, refusal) == tick_of(json.dumps({**good, **changed}).encode(), SYMBOLS, LATEST_US)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"\xff", b"[1]", b'{"seq": 0}', b'{"seq": true}', b'{"seq": "1"}', b"[" * 4000, b" " * 5000]
)
def test_lines_without_a_number(line):
    with pytest.raises(NoTick):
        tick_of(line, SYMBOLS, LATEST_US)


def test_the_simulated_feed_is_made_whole_again():
    """Every kind of fault is in 20,000 ticks, and what is believed is what is believed of the same ticks without a gap."""
    feed = Ticks(seed=18, rate=1000, began_us=10**15, shares=Shares(crossed=0.01, bad=0.01, far=0.01))
    all_ticks = {number: tick_from(feed.tick(number), SYMBOLS, LATEST_US) for number in range(1, 20_001)}
    straight, handler = FeedHandler(band_bp=500), FeedHandler(band_bp=500)
    expected = [one for tick in all_ticks.values() for one in straight.take(tick)]

    believed = []
    for number, tick in all_ticks.items():
        if feed.left_out(number):
            continue
        for _ in range(1 + feed.repeated(number)):
            believed += handler.take(tick)
        if handler.missing and number % 100 == 0:
            first, last = handler.missing
            believed += [one for again in range(first, last + 1) for one in handler.take(all_ticks[again])]
    while handler.missing:
        first, last = handler.missing
        believed += [one for again in range(first, last + 1) for one in handler.take(all_ticks[again])]

    assert expected == believed
    assert straight.refused == handler.refused
    assert {Refusal.CROSSED, Refusal.UNREADABLE, Refusal.OUT_OF_RANGE, Refusal.FAR} <= set(handler.refused)
    assert handler.gaps > 3
    assert handler.refilled > 30
    assert handler.repeated > 100
    assert 0 == handler.lost
    assert all(one.bid < one.ask for one in believed if isinstance(one, Quote))


def test_candles_of_parts_added_up_are_those_of_the_whole():
    rng = Random(3)
    trades = [trade(n, rng.randint(90, 110), rng.randint(1, 9), at_us=DAY_US + n * 7_000_000) for n in range(1, 500)]
    whole, parts = candles(trades, (MINUTE_US, DAY_US)), {}
    for at in range(0, len(trades), 37):
        for key, candle in candles(trades[at : at + 37], (MINUTE_US, DAY_US)).items():
            parts[key].add(candle) if key in parts else parts.update({key: candle})

    assert whole == parts
    (day,) = (candle for (_, span, _), candle in whole.items() if span == DAY_US)
    prices = [one.price for one in trades]
    assert (prices[0], max(prices), min(prices), prices[-1]) == (day.open, day.high, day.low, day.close)
    assert (sum(one.quantity for one in trades), len(trades)) == (day.quantity, day.trades)
    assert all(begin % span == 0 for _, span, begin in whole)
