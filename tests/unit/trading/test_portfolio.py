"""Positions, average cost and profit and loss: cases by hand, laws, and a slow second opinion from all executions."""

from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.trading_schedules import Schedule
from trading.domain.engine import Engine
from trading.domain.outcomes import Executed
from trading.domain.portfolio import FeeSchedule, Portfolio, Position, touched, unrealised_minor, value_minor
from trading.domain.terms import Input, Outcome, Side

FEES = FeeSchedule(maker_ppm=100, taker_ppm=333)
BUY, SELL = Side.BUY, Side.SELL

EXECUTIONS = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 10**9), st.integers(1, 10**15)), max_size=30)


def position_of(*executions: tuple[int, int, int]) -> Position:
    position = Position()
    for side, quantity, price_minor in executions:
        position.execute(side, quantity, price_minor)
    return position


@pytest.mark.parametrize(
    ("executions", "quantity", "cost", "realised"),
    [
        ([(BUY, 10, 100)], 10, 1000, 0),
        ([(BUY, 10, 100), (BUY, 10, 110)], 20, 2100, 0),
        ([(BUY, 10, 100), (BUY, 10, 110), (SELL, 5, 120)], 15, 1575, 75),
        ([(BUY, 10, 100), (SELL, 10, 90)], 0, 0, -100),
        ([(SELL, 10, 100)], -10, -1000, 0),
        ([(SELL, 10, 100), (BUY, 4, 90)], -6, -600, 40),
        ([(BUY, 10, 100), (SELL, 15, 120)], -5, -600, 200),
        ([(SELL, 10, 100), (BUY, 15, 120)], 5, 600, -200),
        # One lot of three that cost 100: 33 go out, then 33.5 become 34, the even one, and the rest is exact.
        ([(BUY, 1, 34), (BUY, 2, 33), (SELL, 1, 40)], 2, 67, 7),
        ([(BUY, 1, 34), (BUY, 2, 33), (SELL, 1, 40), (SELL, 1, 40)], 1, 33, 13),
        ([(BUY, 1, 34), (BUY, 2, 33), (SELL, 1, 40), (SELL, 1, 40), (SELL, 1, 40)], 0, 0, 20),
        # Halves go to the even neighbour on both sides of zero: 2.5 to 2, -3.5 to -4.
        ([(BUY, 1, 2), (BUY, 1, 3), (SELL, 1, 9)], 1, 3, 7),
        ([(SELL, 1, 3), (SELL, 1, 4), (BUY, 1, 1)], -1, -3, 3),
    ],
)
def test_average_cost(executions, quantity, cost, realised):
    position = position_of(*executions)

    assert (quantity, cost, realised) == (position.quantity, position.cost_minor, position.realised_minor)


@pytest.mark.parametrize(("value", "maker", "taker"), [(0, 0, 0), (1, 1, 1), (10_000, 1, 4), (10_001, 2, 4)])
def test_fees_are_rounded_up(value, maker, taker):
    assert (maker, taker) == (FEES.fee(value, resting=True), FEES.fee(value, resting=False))


@given(EXECUTIONS)
@settings(max_examples=200)
def test_no_minor_unit_is_made_or_lost_by_rounding(executions):
    position = position_of(*executions)
    received = sum((1 if side == SELL else -1) * quantity * price for side, quantity, price in executions)

    assert received == position.realised_minor - position.cost_minor
    assert position.quantity or not position.cost_minor
    assert position.cost_minor * position.quantity >= 0


@pytest.mark.parametrize("seeds", [range(first, first + 15) for first in (0, 15, 30)], ids=str)
def test_a_slow_recomputation_from_all_executions_agrees(seeds):
    for seed in seeds:
        engine, portfolio, executions = Engine(), Portfolio(FEES), defaultdict(list)

        for record in Schedule(seed).records(300):
            outcomes = engine.apply(record)
            portfolio.apply(record, outcomes)
            for one in outcomes:
                if one[0] == Outcome.EXECUTED:
                    executions[one[4], one[5]].append(Executed(*one))
            assert set(touched(outcomes)) <= set(portfolio.positions)

        held = {
            (one.account_id, book.symbol): one.position
            for book in engine.books.values()
            for one in book.holdings.values()
        }
        assert {key: lots for key, lots in held.items() if key in executions} == {
            key: one.quantity for key, one in portfolio.positions.items()
        }
        assert engine.now_us == portfolio.now_us
        for (account, symbol), all_of_it in executions.items():
            position, instrument = portfolio.positions[account, symbol], portfolio.instruments[symbol]
            assert slowly(all_of_it, engine.books[symbol].tick_value_minor) == (
                position.cost_minor,
                position.realised_minor,
                position.fees_minor,
                position.executions,
            )
            assert value_minor(position, instrument) - position.cost_minor == unrealised_minor(position, instrument)
        for symbol in engine.books:
            worth = [
                value_minor(one, portfolio.instruments[symbol])
                for (_, s), one in portfolio.positions.items()
                if s == symbol
            ]
            assert 0 == sum(worth), "what one owns another owes"


def slowly(executions: list[Executed], tick_value: int) -> tuple[int, int, int, int]:
    """Cost, realised profit and loss, fees and number, lot by lot of each execution's open and closed part, in exact fractions."""
    lots, cost, realised, fees = 0, 0, 0, 0
    for one in executions:
        price = one.price * tick_value
        fees += int(
            Fraction(one.quantity * price * (FEES.maker_ppm if one.resting else FEES.taker_ppm), 10**6).__ceil__()
        )
        change = one.quantity if one.side == BUY else -one.quantity
        if lots * change >= 0:
            lots, cost = lots + change, cost + change * price
            continue
        if abs(change) >= abs(lots):
            realised += lots * price - cost
            lots += change
            cost = lots * price
            continue
        taken = round(Fraction(cost, lots) * -change)
        realised, cost, lots = realised - change * price - taken, cost - taken, lots + change
    return cost, realised, fees, len(executions)


def test_the_mark_is_the_last_trade_or_market_data_whichever_came_later():
    portfolio = Portfolio(FEES)
    portfolio.apply((Input.LIST, 7, 5, 100), [])
    portfolio.apply((Input.MARKET_DATA, 7, 100), [])
    trade = Executed(Outcome.EXECUTED, 1, 1, 1, 1, 7, BUY, 104, 2, 2, 0, 208, 1, 0)
    portfolio.apply((Input.TIME, 9), [trade])

    assert 104 == portfolio.instruments[7].mark
    assert (2 * 104 * 5, 0) == (
        value_minor(portfolio.positions[1, 7], portfolio.instruments[7]),
        unrealised_minor(portfolio.positions[1, 7], portfolio.instruments[7]),
    )
    portfolio.apply((Input.MARKET_DATA, 7, 101), [])
    assert -30 == unrealised_minor(portfolio.positions[1, 7], portfolio.instruments[7])
    portfolio.apply((Input.MARKET_DATA, 7, 10**18), [(Outcome.REFUSED, 0, 0, 1, 10**18, 2)])
    assert 101 == portfolio.instruments[7].mark
