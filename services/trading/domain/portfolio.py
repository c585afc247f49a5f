"""Positions of accounts from what a shard's journal says: average cost, realised and unrealised profit and loss, fees. Pure.

Lots are whole, money is whole minor units, both with a sign: a short position has negative lots and a negative cost.

- An execution that enlarges a position adds price × lots × tick value to its cost. One that makes it smaller takes out the share of the
  cost that the closed lots have, to the nearest minor unit, a half to the even one; what was paid or received beyond that is realised.
  One that is larger than the position closes it and opens the rest at its own price.
- So realised − cost is always what was received − what was paid, exactly: rounding moves at most half a minor unit between realised and
  unrealised profit and loss, and it is gone when the position is closed.
- Fees are parts per million of an execution's value, each rounded up to a minor unit. They are in no profit and loss.
- A symbol's mark is its last trade or the last MARKET_DATA taken, whichever came later. Value is lots × mark × tick value, unrealised
  profit and loss is value − cost.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from trading.domain.inputs import List, MarketData, Time
from trading.domain.outcomes import Executed
from trading.domain.records import Record
from trading.domain.terms import BUY, Input, Outcome

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """What an execution costs, in parts per million of its value."""

    maker_ppm: int
    """For the order that rested."""
    taker_ppm: int
    """For the order that arrived."""

    def fee(self, value_minor: int, *, resting: bool) -> int:
        """The fee of one execution in minor units, rounded up."""
        return -(-value_minor * (self.maker_ppm if resting else self.taker_ppm) // MILLION)


@dataclass(slots=True)
class Position:
    """An account's lots of one symbol, and what they brought so far."""

    quantity: int = 0
    cost_minor: int = 0
    """What the lots that are held were bought for; negative for what was sold short."""
    realised_minor: int = 0
    fees_minor: int = 0
    executions: int = 0

    def execute(self, side: int, quantity: int, price_minor: int) -> None:
        """Take one execution of `quantity` lots at `price_minor` a lot."""
        sign = 1 if side == BUY else -1
        closed = min(quantity, abs(self.quantity)) if self.quantity * sign < 0 else 0
        if closed:
            cost = nearest(self.cost_minor * closed, abs(self.quantity))
            self.realised_minor += -sign * closed * price_minor - cost
            self.cost_minor -= cost
        self.cost_minor += sign * (quantity - closed) * price_minor
        self.quantity += sign * quantity
        self.executions += 1


@dataclass(slots=True)
class Instrument:
    """A symbol as a portfolio needs it."""

    tick_value_minor: int
    mark: int = 0
    """Ticks; 0 before the first."""


def nearest(dividend: int, divisor: int) -> int:
    """The whole number nearest to a quotient; a half goes to the even neighbour. The divisor is above 0."""
    whole, rest = divmod(dividend, divisor)
    twice = 2 * rest
    return whole + (twice > divisor or (twice == divisor and whole & 1))


def unrealised_minor(position: Position, instrument: Instrument) -> int:
    """Profit and loss of what is held at the mark; exact when there is a mark, which every execution sets."""
    return value_minor(position, instrument) - position.cost_minor


def value_minor(position: Position, instrument: Instrument) -> int:
    """What is held, at the mark; negative for a short position."""
    return position.quantity * instrument.mark * instrument.tick_value_minor


class Portfolio:
    """The positions that one shard's inputs change. Give it those that may be touched, and take back those that were.

    The inputs of a shard must be applied in order, each once: a share of a cost depends on what came before.
    """

    def __init__(
        self,
        fees: FeeSchedule,
        *,
        positions: Mapping[tuple[int, int], Position] | None = None,
        instruments: Mapping[int, Instrument] | None = None,
        now_us: int = 0,
    ) -> None:
        """`positions` by account and symbol, `instruments` by symbol."""
        self._fees = fees
        self.positions = dict(positions or {})
        self.instruments = dict(instruments or {})
        self.now_us = now_us
        """The engine's time."""

    def apply(self, given: Record, outcomes: Sequence[Record]) -> None:
        """Take an input and what came of it."""
        refused = any(outcome[0] == Outcome.REFUSED for outcome in outcomes)
        if not refused:
            self._take(given)
        # Whatever the input is, stops that were reached before may run with it.
        for outcome in outcomes:
            if outcome[0] == Outcome.EXECUTED:
                self._execute(Executed(*outcome))

    def _take(self, given: Record) -> None:
        kind = given[0]
        if kind == Input.TIME:
            self.now_us = Time(*given).now_us
        elif kind == Input.MARKET_DATA:
            told = MarketData(*given)
            self.instruments[told.symbol].mark = told.price
        elif kind == Input.LIST:
            listed = List(*given)
            self.instruments[listed.symbol] = Instrument(listed.tick_value_minor)

    def _execute(self, executed: Executed) -> None:
        instrument = self.instruments[executed.symbol]
        key = (executed.account, executed.symbol)
        position = self.positions.get(key)
        if position is None:
            position = self.positions[key] = Position()
        price_minor = executed.price * instrument.tick_value_minor
        position.execute(executed.side, executed.quantity, price_minor)
        position.fees_minor += self._fees.fee(executed.quantity * price_minor, resting=bool(executed.resting))
        instrument.mark = executed.price


def touched(outcomes: Iterable[Record]) -> Iterator[tuple[int, int]]:
    """Account and symbol of every execution among some outcomes."""
    return ((one[4], one[5]) for one in outcomes if one[0] == Outcome.EXECUTED)
