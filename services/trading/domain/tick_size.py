"""Prices as people write them, in ticks. Pure.

Done once, at a door: behind it a price is an integer, so no order off the tick can reach the book. No binary fraction is ever involved.
"""

import re

DECIMAL = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?", re.ASCII)
PLACES = 9
"""Digits behind the point that can be told apart."""


class BadPrice(ValueError):
    """The text is no price on the tick; the message holds it."""


def ticks(price: str, tick: str) -> int:
    """How many ticks a price is; raises BadPrice for zero, signs, exponents, names such as NaN, other digits, and between two ticks.

    Both are plain decimals: at most 12 digits before the point and 9 behind it.
    """
    size = _billionths(tick)
    count, rest = divmod(_billionths(price), size)
    if rest:
        raise BadPrice(f'price "{price}" is no multiple of the tick {tick}')
    return count


def written(count: int, tick: str) -> str:
    """The price of `count` ticks, with as many digits behind the point as the tick has."""
    whole, fraction = divmod(count * _billionths(tick), 10**PLACES)
    _, _, digits = tick.partition(".")
    return f"{whole}.{fraction:0{PLACES}d}"[: len(str(whole)) + 1 + len(digits)] if digits else str(whole)


def _billionths(text: str) -> int:
    match = DECIMAL.fullmatch(text)
    number = int(match[1] + (match[2] or "").ljust(PLACES, "0")) if match else 0
    if not number:
        raise BadPrice(f'"{text[:40]}" is no price: it must be a plain decimal above 0')
    return number
