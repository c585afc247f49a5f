"""What judges the traces of trades sees what is wrong with them, and knows an order's own trace as the trading does."""

from dataclasses import replace
from typing import Any

import pytest

from conductor.harness.traces import Span
from told_trades import TRADE, own_trace, shapes, unexplained_way
from trading.usecases import order_traces

RESTING, TAKING = 7, 8
KINDS = {"POST": 2, "engine": 1, "wait": 1, "apply": 5, "process": 5}
WINDOW = ("w", "w")


def span(at: tuple[str, str], name: str, order: int | None = None, began: float = 0.0, **told: Any) -> Span:
    about = {} if order is None else {"order.id": str(order)}
    attributes = {**about, **told.pop("attributes", {})}
    kind = KINDS[name.partition(" ")[0]]
    made = Span(*at, "", name, "portfolio", began, 1.0, False, attributes, kind=kind)
    return replace(made, **told)


def request(order: int) -> Span:
    return span((f"q{order}", "q"), "POST /orders", order, links=[own_trace(order)])


def step(at: tuple[str, str], order: int, sequence: int, outcome: str, *links: tuple[str, str]) -> list[Span]:
    number = {"sequence": str(sequence)}
    trace, above = at
    return [
        span(at, "engine new", order, 0.5, seconds=0.0, links=links, attributes={**number, "outcome": outcome}),
        span((trace, "wait"), "wait trading.portfolio", order, 0.5, parent=above, attributes=number),
        span((trace, "apply"), "apply new", order, 1.5, parent=above, links=[WINDOW], attributes=number),
    ]


def trade() -> list[Span]:
    return [
        span(WINDOW, "process trading.portfolio"),
        request(RESTING),
        *step(own_trace(RESTING), RESTING, RESTING, "acknowledged"),
        request(TAKING),
        *step(own_trace(TAKING), TAKING, TAKING, "acknowledged,executed"),
        *step(("later", "e"), RESTING, TAKING, "executed", own_trace(RESTING), own_trace(TAKING)),
    ]


def shape(spans: list[Span]) -> Any:
    return shapes(spans, [(RESTING, TAKING)])[RESTING, TAKING]


def test_an_orders_own_trace_is_the_one_that_the_trading_gives_it() -> None:
    own = order_traces.own_trace(3, 12345)

    assert (f"{own.trace_id:032x}", f"{own.span_id:016x}") == own_trace(12345, shard=3)


def test_a_trade_has_eleven_spans() -> None:
    assert TRADE == shape(trade())
    assert 11 == TRADE.total()


@pytest.mark.parametrize("left_out", range(len(trade())))
def test_a_span_that_is_missing_is_seen(left_out: int) -> None:
    spans = trade()
    del spans[left_out]

    assert TRADE != shape(spans)


@pytest.mark.parametrize("name", ["POST /orders", "engine new", "apply new"])
def test_a_link_that_is_missing_is_seen(name: str) -> None:
    spans = trade()
    at = max(number for number, one in enumerate(spans) if one.name == name and one.links)
    spans[at] = replace(spans[at], links=spans[at].links[1:])

    assert TRADE != shape(spans)


def test_the_time_that_an_order_rests_is_no_part_of_its_way() -> None:
    late = [replace(one, began=one.began + 60.0) if one.trace == "later" else one for one in trade()]

    assert 0.0 == unexplained_way(late, RESTING)


def test_time_before_the_positions_that_no_span_covers_is_unexplained() -> None:
    late = [replace(one, began=3.5) if one.name == "apply new" else one for one in trade()]

    assert 2.0 / 4.5 == pytest.approx(unexplained_way(late, RESTING))
