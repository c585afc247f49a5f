"""What a real Jaeger behind a real collector has of trades: the spans that were made afterwards, from the journal.

A trade is an order that rests and one that is executed against it, each placed by the API.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from playing import played_with
from watching import STORIES, brief, jaeger, judged, tell, watched

from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.drawn_orders import ACCOUNTS, SYMBOLS
from conductor.capstones.trading.market import REFERENCE_PRICE
from conductor.cluster.access import ClusterAccess
from conductor.cluster.installation import Installation
from conductor.cluster.runtime import KubernetesRuntime
from conductor.harness.traces import Span
from conductor.waiting import until
from told_orders import MOST_UNEXPLAINED
from told_spans import entries_of, entry_of_batch_or_input, of_probes
from told_trades import ENGINE, STEPS, TRADE, Shape, shapes, unexplained_way

pytestmark = [pytest.mark.timeout(3600), played_with(5)]

SYMBOL = SYMBOLS[0]
APPLIED_SECONDS = 60.0

Trade = tuple[int, int]
"""The numbers of the order that rested, and of the one that took."""


@dataclass
class Told:
    """Trades, and what Jaeger has of the service since the first of them."""

    trades: list[Trade]
    spans: list[Span]
    wrong: list[tuple[Any, ...]]
    shapes: dict[Trade, Shape]
    gaps: dict[int, float]


def emptied(operator: TradingApi) -> None:
    """Nothing rests in the book, and the positions are as far as the journal: what is told of from here on began here."""
    operator.kill("symbol", SYMBOL, "cancel")
    operator.kill("symbol", SYMBOL, "off")
    goal = operator.json("GET", "/venue")["sequence"]

    def applied() -> bool:
        return max((one["sequence"] for one in operator.positions(None)["applied"]), default=0) >= goal

    assert until(applied, within_seconds=APPLIED_SECONDS), f"the positions do not come to input {goal}"


def placed(client: TradingApi, side: str) -> tuple[int, str]:
    """The number of an order, and what came of it at once."""
    order = {"symbol": SYMBOL, "side": side, "price": REFERENCE_PRICE, "quantity": 1}
    account = ACCOUNTS[side == "sell"]
    # Ids rise from request to request, whoever of this client asks.
    told = client.place({"client_id": time.time_ns() // 1000, "account": account, **order})
    return told["outcomes"][0]["order_id"], told["outcomes"][-1]["outcome"]


def traded(client: TradingApi, count: int) -> list[Trade]:
    """So many trades, one after the other."""
    found = []
    for _ in range(count):
        (resting, said), (taking, done) = placed(client, "buy"), placed(client, "sell")
        assert ("acknowledged", "executed") == (said, done)
        found.append((resting, taking))
    return found


def placed_and_told(runtime: KubernetesRuntime, count: int) -> tuple[list[Trade], list[Span]]:
    """Trades, and every span since the first of them."""
    with (
        ClusterAccess(runtime.namespace, runtime.capstone) as reach,
        TradingApi.of(reach, "operator") as operator,
        TradingApi.of(reach) as client,
    ):
        emptied(operator)
        since = time.time()
        trades = traded(client, count)

    def applied(spans: Sequence[Span]) -> bool:
        steps = sum(span.name.startswith("engine ") for span in spans)
        return steps >= STEPS * count and entries_of("trading") <= set(map(entry_of_batch_or_input, spans))

    return trades, jaeger(runtime, since, applied)


@pytest.fixture(scope="module")
def told(installation: Installation) -> Told:
    """Trades that are in the positions, and their spans."""
    with watched(installation, "trading") as runtime:
        trades, spans = placed_and_told(runtime, STORIES)
        wrong = judged("trading", spans, entry_of_batch_or_input, trades=trades)
    gaps = {order: unexplained_way(spans, order) for trade in trades for order in trade}
    tell(
        f"{len(trades)} trades, {TRADE.total()} spans each; most of an order's way that nothing explains: {max(gaps.values()):.1%}"
    )
    return Told(trades, spans, wrong, shapes(spans, trades), gaps)


def test_what_jaeger_has_of_the_trading_is_what_the_registry_says_both_ways(told: Told) -> None:
    assert not told.wrong, brief(told.wrong)
    assert entries_of("trading") == set(map(entry_of_batch_or_input, told.spans))


def test_probes_and_scrapes_make_no_traces(told: Told) -> None:
    assert [] == of_probes(told.spans)


def test_a_trade_has_exactly_these_spans_and_links(told: Told) -> None:
    other = {trade: got - TRADE + (TRADE - got) for trade, got in told.shapes.items() if got != TRADE}

    assert not other, brief(list(other.items()))
    assert len(told.shapes) >= STORIES


def test_there_is_nothing_of_any_other_order(told: Told) -> None:
    names = Counter(span.name for span in told.spans)

    assert (STEPS * STORIES, 2 * STORIES) == (names[ENGINE], names["POST /orders"])
    assert {ENGINE} == {name for name in names if name.startswith("engine ")}
    assert [] == [span for span in told.spans if "orders.left_out" in span.attributes]


def test_the_way_of_an_order_into_the_positions_is_explained(told: Told) -> None:
    wide = {order: share for order, share in told.gaps.items() if share >= MOST_UNEXPLAINED}

    assert not wide, brief(list(wide.items()))
