"""What the trading tells of a trade: an order that rested, and one that was executed against it.

Each begins a trace of its own, whose id is made from the shard and the order's number. What happens to an order later is a trace that is
linked with the order's.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Sequence

from told_orders import unexplained
from told_spans import Told, entry_of_batch_or_input

Shape = Counter[tuple[str, str, str, str, tuple[str, ...]]]
"""How often each: of which order, below what, its name, its outcome, and what it is linked with."""

ENGINE = "engine new"
"""The engine took an order."""

OF_A_STEP = {("wait trading.portfolio", ()), ("apply new", ("window",))}
"""Below it: what, and linked with what."""


def _step(order: str, outcome: str, *links: str) -> Shape:
    below = {(order, ENGINE, name, "", linked): 1 for name, linked in OF_A_STEP}
    return Counter({(order, "", ENGINE, outcome, links): 1, **below})


TRADE: Shape = (
    Counter({("resting", "", "POST /orders", "", ("resting",)): 1, ("taking", "", "POST /orders", "", ("taking",)): 1})
    + _step("resting", "acknowledged")
    + _step("taking", "acknowledged,executed")
    + _step("resting", "executed", "resting", "taking")
)
STEPS = 3
"""Inputs of the engine that concern an order, in a trade: two make one, and the second concerns the first as well."""


def own_trace(order_id: int, shard: int = 0) -> tuple[str, str]:
    """Trace and first span of an order, as its number says."""
    number = uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, "urn:trading:order"), f"{shard}/{order_id}").hex
    return number, number[16:]


def shapes(spans: Sequence[Told], trades: Collection[tuple[int, int]]) -> dict[tuple[int, int], Shape]:
    """Of trades, each by the number of the order that rested and of the one that took."""
    part = {
        str(order): (trade, role) for trade in trades for order, role in zip(trade, ("resting", "taking"), strict=True)
    }
    names = {
        own_trace(order): role for trade in trades for order, role in zip(trade, ("resting", "taking"), strict=True)
    }
    known = {(span.trace, span.id): span for span in spans}

    def called(to: tuple[str, str]) -> str:
        if to in known and entry_of_batch_or_input(known[to]) == "flush":
            return "window"
        return names.get(to, "?") if to in known else "lost"

    found: dict[tuple[int, int], Shape] = {trade: Counter() for trade in trades}
    for span in spans:
        if (named := part.get(str(span.attributes.get("order.id", "")))) is None:
            continue
        trade, role = named
        above = known.get((span.trace, span.parent))
        below = "" if not span.parent else "orphan" if above is None else above.name
        links = tuple(sorted(map(called, span.links)))
        found[trade][role, below, span.name, str(span.attributes.get("outcome", "")), links] += 1
    return found


def unexplained_way(spans: Sequence[Told], order_id: int) -> float:
    """Which share of the time from an order's request until it is in the positions nothing explains; without what happens to it later."""
    number = str(order_id)
    mine = [span for span in spans if str(span.attributes.get("order.id")) == number]
    return unexplained([s for s in mine if s.name == "POST /orders" or str(s.attributes.get("sequence")) == number])
