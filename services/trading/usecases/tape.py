"""What a journal's records say to everybody: trades without names, and how many orders each rule refused. Pure.

It begins with the first record that it is given: what came before a keeper's last start is not in it.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import NamedTuple

from trading.adapters.layouts import decode_input, decode_outcome, slots
from trading.domain.inputs import Time
from trading.domain.outcomes import Executed, Refused
from trading.domain.terms import Input, Outcome, Rule

KEPT_TRADES = 50
"""Of each symbol, the last ones."""


class TapedTrade(NamedTuple):
    """A trade as everybody may know it."""

    number: int
    """Counts the symbol's trades from 1, without a hole."""
    time_us: int
    """The engine's time."""
    price: int
    quantity: int
    side: int
    """Of the order that arrived."""


class Tape:
    """The last trades by symbol, and the refusals by rule since `since_us`, the engine's time when it began."""

    def __init__(self, now_us: int) -> None:
        self.since_us = self._now_us = now_us
        self.trades: dict[int, deque[TapedTrade]] = {}
        self.refused: Counter[str] = Counter()

    def take(self, records: Iterable[tuple[int, bytes]]) -> None:
        """Take records as the journal has them, each once and in order."""
        for _, record in records:
            given, *outcomes = slots(record)
            if given[0] == Input.TIME:
                self._now_us = Time(*decode_input(given)).now_us
            for outcome in outcomes:
                if outcome[0] == Outcome.EXECUTED:
                    self._execute(Executed(*decode_outcome(outcome)))
                elif outcome[0] == Outcome.REFUSED:
                    self.refused[Rule(Refused(*decode_outcome(outcome)).rule).name.lower()] += 1

    def last(self, symbol: int) -> list[TapedTrade]:
        """The last trades of a symbol, oldest first."""
        return list(self.trades.get(symbol, ()))

    def _execute(self, one: Executed) -> None:
        if one.resting:
            return
        trades = self.trades.setdefault(one.symbol, deque(maxlen=KEPT_TRADES))
        trades.append(TapedTrade(one.trade_id, self._now_us, one.price, one.quantity, one.side))
