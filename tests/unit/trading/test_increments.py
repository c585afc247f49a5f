"""A snapshot and the increments behind it make the market that is now."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trading.usecases.increments import SIDES, increment

LEVELS = st.dictionaries(st.integers(1, 6).map(lambda ticks: f"{ticks}.00"), st.integers(1, 3), max_size=5)


@st.composite
def markets(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One after the other: books of any kind, trades with rising numbers, candles of which the last one changes."""
    found, number = [], 0
    for at in range(draw(st.integers(1, 6))):
        book = {"sequence": at, "phase": draw(st.sampled_from(["continuous", "halted"]))}
        for side in SIDES:
            levels = sorted(draw(LEVELS).items(), reverse=side == "bids")
            book[side] = [{"price": price, "quantity": lots} for price, lots in levels]
        new = draw(st.integers(0, 3))
        trades = (found[-1]["trades"] if found else []) + [{"number": number + one + 1} for one in range(new)]
        number += new
        candles = (found[-1]["candles"][:-1] if found else []) + [
            {"begin": f"{minute:02}", "close": draw(st.integers(1, 3))} for minute in range(at // 2, at // 2 + 2)
        ]
        candles = list({one["begin"]: one for one in candles}.values())
        found.append(
            {
                "book": book,
                "trades": trades,
                "candles": candles,
                "price": draw(st.sampled_from([None, {"price": "1"}])),
                "late": "",
            }
        )
    return found


def applied(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """What a client makes of it."""
    book = {**before["book"], **change["book"]}
    for side in SIDES:
        levels = {one["price"]: one["quantity"] for one in [*before["book"][side], *change["book"][side]]}
        kept = sorted(((price, lots) for price, lots in levels.items() if lots), reverse=side == "bids")
        book[side] = [{"price": price, "quantity": lots} for price, lots in kept]
    candles = {one["begin"]: one for one in [*before["candles"], *change["candles"]]}
    return {
        **before,
        **change,
        "book": book,
        "trades": [*before["trades"], *change["trades"]],
        "candles": list(candles.values()),
    }


@given(markets())
def test_increments_lead_from_each_market_to_the_next(markets: list[dict[str, Any]]) -> None:
    known = markets[0]
    for before, now in pairwise(markets):
        change = increment(before, now)
        known = applied(known, change)

        assert now == known
        assert all(one not in before["book"][side] for side in SIDES for one in change["book"][side])
    assert {"book", "trades", "candles"} == increment(known, known).keys()
