"""A price is a whole number of ticks, or refused with what was written."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.tick_size import BadPrice, ticks, written

TICKS = st.sampled_from(["1", "0.01", "0.05", "0.0025", "0.000000001", "5"])


@given(st.integers(1, 10**9), TICKS)
def test_a_price_on_the_tick_comes_back_as_it_was(count: int, tick: str) -> None:
    text = written(count, tick)

    assert Decimal(text) == count * Decimal(tick)
    assert count == ticks(text, tick)


@given(st.integers(1, 10**9), TICKS, st.integers(1, 10**6))
def test_a_price_between_two_ticks_is_refused(count: int, tick: str, billionths: int) -> None:
    price = count * Decimal(tick) + billionths * Decimal("0.000000001")
    if price % Decimal(tick):
        with pytest.raises(BadPrice, match="no multiple of the tick"):
            ticks(f"{price:f}", tick)
    else:
        assert price == ticks(f"{price:f}", tick) * Decimal(tick)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0.00",
        "-1",
        "+1",
        "1e3",
        "nan",
        "NaN",
        "inf",
        " 1",
        "1 ",
        "1.",
        ".5",
        "1,5",
        "0x1",
        "1_0",
        "\u0661",
        "1" * 13,
        "1\n",
    ],
    ids=repr,
)
def test_what_is_no_plain_decimal_above_zero_is_refused(text: str) -> None:
    with pytest.raises(BadPrice, match="no price"):
        ticks(text, "0.01")
