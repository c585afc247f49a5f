"""Cases of docs/trading-rules.md that random schedules meet too seldom."""

import gc
from collections.abc import Sequence
from typing import Any

import pytest

from fakes.trading_schedules import WIDE, Schedule, opening
from trading.domain import execution
from trading.domain.engine import Engine
from trading.domain.outcomes import Cancelled, Executed, Refused
from trading.domain.snapshot import UnknownVersion, restore, snapshot
from trading.domain.terms import Input, Outcome, Reason, Rule, Side, Switch, TimeInForce, Type

BUY, SELL = int(Side.BUY), int(Side.SELL)


class Desk:
    """An engine with one call for an order; each account has a session of its own."""

    def __init__(self, limits: tuple[int, ...] = WIDE) -> None:
        self.engine = Engine()
        self.client_id = 0
        for record in opening(limits):
            self.engine.apply(record)

    def order(
        self, account: int, side: int, quantity: int, price: int = 0, stop: int = 0, tif: int = TimeInForce.DAY
    ) -> list[tuple[int, ...]]:
        type = (Type.STOP_LIMIT if price else Type.STOP) if stop else (Type.LIMIT if price else Type.MARKET)
        self.client_id += 1
        record = (Input.NEW, account, self.client_id, account, 1, side, type, tif, price, stop, quantity)
        return self.engine.apply(tuple(map(int, record)))

    def apply(self, *fields: int) -> list[tuple[int, ...]]:
        return self.engine.apply(tuple(map(int, fields)))


def test_a_new_day_counts_what_is_open_on_both_sides() -> None:
    desk = Desk((1_000, 30, 40, 8_000, 100))
    desk.order(1, BUY, 10, 99)
    desk.order(1, SELL, 5, 101)
    desk.order(2, SELL, 10, 99)  # account 1 bought 10
    desk.apply(Input.DAY, 1)

    refused = Refused(*desk.order(1, BUY, 26, 98)[0])
    accepted = desk.order(1, BUY, 25, 98)

    assert (Rule.DAILY_QUANTITY, 31, 30) == (refused.rule, refused.value, refused.limit)
    assert Outcome.ACKNOWLEDGED == accepted[0][0]


def test_a_fill_or_kill_order_sees_no_further_than_its_own_account() -> None:
    desk = Desk()
    desk.order(2, SELL, 5, 100)
    desk.order(1, SELL, 5, 100)
    desk.order(3, SELL, 5, 100)

    outcomes = desk.order(1, BUY, 10, 100, tif=TimeInForce.FOK)

    assert [Outcome.ACKNOWLEDGED, Outcome.CANCELLED] == [one[0] for one in outcomes]
    assert Reason.FOK == Cancelled(*outcomes[1]).reason


def test_a_cascade_runs_at_most_100_stops_with_one_input_and_the_rest_with_the_next() -> None:
    desk = Desk((100_000, 100_000, 40, 8_000, 1_000))
    for _ in range(execution.CASCADE + 5):
        desk.order(1, BUY, 1, 106, stop=100)
    desk.order(2, SELL, 1, 100)

    first = desk.order(3, BUY, 1, 100)
    second = desk.apply(Input.TIME, 2_000_000)

    assert execution.CASCADE == sum(one[0] == Outcome.STOP_TRIGGERED for one in first)
    assert 5 == sum(one[0] == Outcome.STOP_TRIGGERED for one in second)


def test_a_kill_switch_that_cancels_also_takes_stops_that_were_reached() -> None:
    desk = Desk((100_000, 100_000, 40, 8_000, 1_000))
    for _ in range(execution.CASCADE + 5):
        desk.order(1, BUY, 1, 106, stop=100)
    desk.order(2, SELL, 1, 100)
    desk.order(3, BUY, 1, 100)

    outcomes = desk.apply(Input.KILL, 2, 1, Switch.CANCEL)

    assert {Reason.KILL_SWITCH} == {Cancelled(*one).reason for one in outcomes[:-1]}
    assert execution.CASCADE + 5 == len(outcomes) - 1
    assert not desk.engine.sessions[1].orders


def test_a_market_order_trades_inside_the_collar_only() -> None:
    desk = Desk()
    desk.order(2, SELL, 5, 106)
    desk.apply(Input.MARKET_DATA, 1, 95)  # the collar ends at 100

    outcomes = desk.order(1, BUY, 5)

    assert Reason.MARKET_REMAINDER == Cancelled(*outcomes[-1]).reason
    assert not any(one[0] == Outcome.EXECUTED for one in outcomes)


def test_limits_need_a_second_person_and_hold_from_the_next_input_on() -> None:
    desk = Desk()
    desk.apply(Input.PROPOSE_LIMITS, 1, 7, 1_000, 1_000, 3, 8_000, 100)
    proposal = desk.engine.sequence

    alone = Refused(*desk.apply(Input.APPROVE_LIMITS, 1, 7, proposal)[0])
    before = desk.order(1, BUY, 4, 99)
    desk.apply(Input.APPROVE_LIMITS, 1, 8, proposal)
    after = Refused(*desk.order(1, BUY, 4, 99)[0])

    assert (Rule.SAME_PERSON, 7, proposal) == (alone.rule, alone.value, alone.limit)
    assert Outcome.ACKNOWLEDGED == before[0][0]
    assert (Rule.SIZE, 4, 3) == (after.rule, after.value, after.limit)


def test_the_average_price_follows_from_an_execution() -> None:
    desk = Desk()
    desk.order(2, SELL, 2, 100)
    desk.order(2, SELL, 2, 103)

    last = Executed(*desk.order(1, BUY, 4, 103)[-1])

    assert (4, 406, 0) == (last.filled, last.value, last.open)


def garbage_of(records: Sequence[Any]) -> int:
    """How many objects a collector finds after these inputs: of an engine, and of whatever other threads do meanwhile."""
    engine = Engine()
    gc.collect()
    gc.disable()
    try:
        for record in records:
            engine.apply(record)
        return gc.collect()
    finally:
        gc.enable()


def test_orders_that_are_done_leave_no_garbage_for_a_collector() -> None:
    records = list(Schedule(1).records(2_000))

    assert 0 == min(garbage_of(records) for _ in range(3))


def test_a_snapshot_of_another_layout_is_refused() -> None:
    data = snapshot(Engine())
    data["engine"][0][0] = 99

    with pytest.raises(UnknownVersion, match="99"):
        restore(data)
