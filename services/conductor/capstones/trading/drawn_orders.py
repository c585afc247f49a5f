"""Orders as a seed draws them: those of the load, and those of a storm, of which many break a limit. Pure."""

import random
from dataclasses import dataclass

ACCOUNTS = (1, 2)
"""Of the load; their limits are wide."""
POSITION, DAILY_QUANTITY, RATE, SIZE = STORM_ACCOUNTS = (3, 4, 5, 6)
"""Of a storm: each has one limit that its orders meet, the last one those of size and value."""
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
MIDDLE_TICKS, SPREAD_TICKS = 10_000, 5
"""Prices are drawn around 100.00."""
FAR_TICKS = (4_000, 16_000)
"""Outside of any collar."""
MOST_LOTS, LARGE_LOTS = 9, 200


@dataclass(frozen=True, slots=True)
class Drawn:
    """An order; `side` 1 buys, 2 sells."""

    account: int
    symbol: str
    side: int
    price_ticks: int
    quantity: int


def of_the_load(draw: random.Random) -> Drawn:
    """One that keeps to every limit."""
    account, side = draw.choice(ACCOUNTS), draw.choice((1, 2))
    price = MIDDLE_TICKS + draw.randint(-SPREAD_TICKS, SPREAD_TICKS)
    return Drawn(account, draw.choice(SYMBOLS), side, price, draw.randint(1, MOST_LOTS))


def of_a_storm(draw: random.Random) -> Drawn:
    """Every second one is of the load, the others are of accounts that are at a limit."""
    if draw.random() < 0.5:
        return of_the_load(draw)
    usual, account = of_the_load(draw), draw.choice(STORM_ACCOUNTS)
    if account != SIZE:
        return Drawn(account, usual.symbol, usual.side, usual.price_ticks, usual.quantity)
    price = draw.choice((usual.price_ticks, usual.price_ticks, *FAR_TICKS))
    return Drawn(account, usual.symbol, usual.side, price, draw.randint(1, LARGE_LOTS))
