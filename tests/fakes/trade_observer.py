"""Follows a trading engine by its inputs and outcomes only, and objects where a law is broken."""

from collections import defaultdict
from dataclasses import dataclass, field

from trading.domain.inputs import ApproveLimits, ProposeLimits
from trading.domain.outcomes import Acknowledged, Cancelled, Done, Executed, Expired, Replaced, StopTriggered
from trading.domain.terms import Input, Outcome, Side

BUY = Side.BUY


@dataclass(eq=False)
class Seen:
    """What outcomes told of an open order."""

    account: int
    symbol: int
    side: int
    price: int
    stop_price: int
    quantity: int
    place: int
    """Counts outcomes: where the order stands behind others of its price."""
    filled: int = 0

    @property
    def open(self) -> int:
        return self.quantity - self.filled


@dataclass
class Observer:
    """`see` each input with its outcomes; raises AssertionError."""

    orders: dict[int, Seen] = field(default_factory=dict)
    positions: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    executed: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Lots of an account since the day began."""
    limits: dict[int, tuple[int, ...]] = field(default_factory=dict)
    proposals: dict[int, tuple[int, ...]] = field(default_factory=dict)
    number: int = 0
    places: int = 0

    def see(self, record: tuple[int, ...], outcomes: list[tuple[int, ...]]) -> None:
        self.number += 1
        self._administration(record, outcomes)
        halves: dict[int, Executed] = {}
        for outcome in outcomes:
            self.places += 1
            match outcome[0]:
                case Outcome.ACKNOWLEDGED:
                    self._acknowledged(Acknowledged(*outcome))
                case Outcome.EXECUTED:
                    self._executed(Executed(*outcome), halves)
                case Outcome.CANCELLED:
                    gone = Cancelled(*outcome)
                    assert self.orders.pop(gone.order_id).open == gone.quantity, "conserved"
                case Outcome.EXPIRED:
                    expired = Expired(*outcome)
                    assert self.orders.pop(expired.order_id).open == expired.quantity, "conserved"
                case Outcome.REPLACED:
                    self._replaced(Replaced(*outcome))
                case Outcome.STOP_TRIGGERED:
                    order = self.orders[StopTriggered(*outcome).order_id]
                    order.stop_price, order.place = 0, self.places
        assert not halves, "a trade has two sides"
        self._not_crossed()

    def depth(self, symbol: int, side: int) -> list[tuple[int, int]]:
        """As `BookSide.depth` of all levels."""
        lots: defaultdict[int, int] = defaultdict(int)
        for order in self._resting(symbol, side):
            lots[order.price] += order.open
        return sorted(lots.items(), reverse=side == BUY)

    def _resting(self, symbol: int, side: int) -> list[Seen]:
        return [one for one in self.orders.values() if (one.symbol, one.side) == (symbol, side) and not one.stop_price]

    def _administration(self, record: tuple[int, ...], outcomes: list[tuple[int, ...]]) -> None:
        if not (outcomes and outcomes[0][0] == Outcome.DONE and Done(*outcomes[0]).input == record[0]):
            return
        if record[0] == Input.PROPOSE_LIMITS:
            self.proposals[ProposeLimits(*record).account] = record[3:]
        elif record[0] == Input.APPROVE_LIMITS:
            account = ApproveLimits(*record).account
            self.limits[account] = self.proposals.pop(account)
        elif record[0] == Input.DAY:
            self.executed.clear()

    def _acknowledged(self, new: Acknowledged) -> None:
        assert new.order_id == self.number, "an order's id is its input's number"
        self.orders[new.order_id] = Seen(
            new.account, new.symbol, new.side, new.price, new.stop_price, new.quantity, self.places
        )
        self._within_limits(new.account, new.symbol, new.side)
        assert new.quantity <= self.limits[new.account][2], "size"

    def _within_limits(self, account: int, symbol: int, side: int) -> None:
        """What an accepted order can come to at its worst."""
        max_position, max_daily_quantity, *_ = self.limits[account]
        own = [one for one in self.orders.values() if one.account == account]
        position = self.positions[account, symbol]
        lots = sum(one.open for one in own if (one.symbol, one.side) == (symbol, side))
        assert (position if side == BUY else -position) + lots <= max_position, "position"
        assert self.executed[account] + sum(one.open for one in own) <= max_daily_quantity, "daily quantity"

    def _executed(self, half: Executed, halves: dict[int, Executed]) -> None:
        order = self.orders[half.order_id]
        if half.resting:
            assert half.price == order.price, "at the resting order's price"
            ahead = [
                one
                for one in self._resting(order.symbol, order.side)
                if (one.place < order.place and one.price == order.price)
                or (one.price > order.price if order.side == BUY else one.price < order.price)
            ]
            assert not ahead, "priority"
            halves[half.trade_id] = half
        else:
            other = halves.pop(half.trade_id)
            assert (other.price, other.quantity) == (half.price, half.quantity), "conserved"
            assert other.side != half.side, "one buys, one sells"
            assert other.account != half.account, "no trade with oneself"
            if order.price:
                assert half.price <= order.price if order.side == BUY else half.price >= order.price, "limit"
        order.filled += half.quantity
        assert (order.filled, order.open) == (half.filled, half.open), "conserved"
        assert half.open >= 0, "conserved"
        self.positions[half.account, half.symbol] += half.quantity if half.side == BUY else -half.quantity
        self.executed[half.account] += half.quantity
        if not half.open:
            del self.orders[half.order_id]

    def _replaced(self, new: Replaced) -> None:
        order = self.orders[new.order_id]
        fewer = (order.price, order.stop_price) == (new.price, new.stop_price) and new.quantity < order.quantity
        assert fewer == bool(new.kept_priority), "priority"
        if not fewer:
            order.place = self.places
        order.price, order.stop_price, order.quantity = new.price, new.stop_price, new.quantity
        assert order.open == new.open > 0, "conserved"
        self._within_limits(order.account, order.symbol, order.side)

    def _not_crossed(self) -> None:
        for symbol in {one.symbol for one in self.orders.values()}:
            bids = [one.price for one in self._resting(symbol, BUY)]
            asks = [one.price for one in self._resting(symbol, Side.SELL)]
            assert not bids or not asks or max(bids) < min(asks), "crossed"
