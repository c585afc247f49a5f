"""The rules of docs/trading-rules.md, written a second time as slowly and plainly as they read: one list of orders, every sum counted anew.

It shares with the engine the records and their numbers, and nothing else.
"""

from fakes.slow_administration import SlowAdministration
from fakes.slow_state import Broken, Resting
from trading.domain.inputs import INPUTS
from trading.domain.outcomes import Acknowledged, Executed, Refused, Replaced, StopTriggered
from trading.domain.terms import Input, Outcome, Phase, Reason, Rule, Scope, Side, TimeInForce, Type


class SlowExchange(SlowAdministration):
    """`apply` has the engine's contract."""

    def apply(self, record: tuple[int, ...]) -> list[tuple[int, ...]]:
        self.number += 1
        self.said = []
        asked = INPUTS[record[0]](*record)
        session, client_id = getattr(asked, "session", 0), getattr(asked, "client_id", 0)
        try:
            if hasattr(asked, "client_id"):
                self.identify(session, client_id)
            getattr(self, "on_" + Input(record[0]).name.lower())(asked)
        except Broken as broken:
            if record[0] == Input.SESSION_ENDED:
                raise
            self.said.append(Refused(Outcome.REFUSED, session, client_id, *broken.args))
        for _ in range(self.cascade):
            if self.queue:
                self.trigger(self.queue[0])
        return self.said

    def identify(self, session: int, client_id: int) -> None:
        if not 1 <= session <= 2**32 - 1:
            raise Broken(Rule.MALFORMED, session, 1)
        highest = self.used.get(session, 0)
        if client_id <= highest:
            raise Broken(Rule.ID_NOT_RISING, client_id, highest)
        self.used[session] = client_id

    def on_new(self, asked) -> None:
        if asked.side not in list(Side):
            raise Broken(Rule.MALFORMED, asked.side, 5)
        if asked.type not in list(Type):
            raise Broken(Rule.MALFORMED, asked.type, 6)
        if asked.time_in_force not in list(TimeInForce):
            raise Broken(Rule.MALFORMED, asked.time_in_force, 7)
        self.well_formed(asked.price, asked.type in (Type.LIMIT, Type.STOP_LIMIT), 8)
        self.well_formed(asked.stop_price, asked.type in (Type.STOP, Type.STOP_LIMIT), 9)
        if asked.quantity < 1:
            raise Broken(Rule.MALFORMED, asked.quantity, 10)
        if asked.symbol not in self.symbols:
            raise Broken(Rule.UNKNOWN_SYMBOL, asked.symbol, 0)
        if asked.account not in self.limits:
            raise Broken(Rule.UNKNOWN_ACCOUNT, asked.account, 0)
        order = Resting(
            order_id=self.number,
            session=asked.session,
            client_id=asked.client_id,
            account=asked.account,
            symbol=asked.symbol,
            side=asked.side,
            time_in_force=asked.time_in_force,
            price=asked.price,
            stop_price=asked.stop_price,
            quantity=asked.quantity,
        )
        self.count_rate(order.account)
        self.check(order)
        self.said.append(Acknowledged(Outcome.ACKNOWLEDGED, asked.session, asked.client_id, self.number, *asked[3:]))
        self.orders.append(order)
        self.arrive(order)

    def well_formed(self, price: int, asked: bool, position: int) -> None:
        if (price < 1) if asked else (price != 0):
            raise Broken(Rule.MALFORMED, price, position)

    def count_rate(self, account: int) -> None:
        second = self.now // 10**6
        self.sent.append((second, account))
        count = self.sent.count((second, account))
        if count > self.limits[account][4]:
            raise Broken(Rule.RATE, count, self.limits[account][4])

    def check(self, order: Resting) -> None:
        """Checks 5 to 9 of an order with the terms that it would have."""
        symbol = self.symbols[order.symbol]
        max_position, max_daily, max_quantity, max_notional, _ = self.limits[order.account]
        for scope, target, rule in (
            (Scope.ALL, 0, Rule.ALL_KILLED),
            (Scope.SYMBOL, order.symbol, Rule.SYMBOL_KILLED),
            (Scope.ACCOUNT, order.account, Rule.ACCOUNT_KILLED),
        ):
            if (scope, target) in self.switches:
                raise Broken(rule, self.number, self.switches[scope, target])
        if symbol.phase != Phase.CONTINUOUS:
            raise Broken(Rule.PHASE, symbol.phase, Phase.CONTINUOUS)
        if not order.stop_price:
            if not symbol.reference:
                raise Broken(Rule.NO_REFERENCE, order.symbol, 0)
            if order.price and order.price < symbol.lowest():
                raise Broken(Rule.COLLAR_LOW, order.price, symbol.lowest())
            if order.price > symbol.highest():
                raise Broken(Rule.COLLAR_HIGH, order.price, symbol.highest())
        if order.quantity > max_quantity:
            raise Broken(Rule.SIZE, order.quantity, max_quantity)
        notional = (order.price or order.stop_price or symbol.highest()) * order.quantity * symbol.tick_value
        if notional > max_notional:
            raise Broken(Rule.NOTIONAL, min(notional, 2**63 - 1), max_notional)
        others = [one for one in self.orders if one.account == order.account and one.order_id != order.order_id]
        worst = order.open + sum(one.open for one in others if one.symbol == order.symbol and one.side == order.side)
        position = self.position(order.account, order.symbol)
        worst += position if order.side == Side.BUY else -position
        if worst > max_position:
            raise Broken(Rule.POSITION, worst, max_position)
        daily = order.open + sum(one.open for one in others)
        daily += sum(lots for day, account, _, _, lots in self.trades if (day, account) == (self.day, order.account))
        if daily > max_daily:
            raise Broken(Rule.DAILY_QUANTITY, daily, max_daily)

    def arrive(self, order: Resting) -> None:
        if not order.stop_price:
            return self.run(order)
        order.state = "waiting"
        order.since = self.place()
        symbol = self.symbols[order.symbol]
        if symbol.trades:
            self.reach(order.symbol, [symbol.last_price])
        return None

    def place(self) -> tuple[int, int]:
        self.change += 1
        return self.number, self.change

    def against(self, order: Resting) -> list[Resting]:
        """Whom the order can trade with, who comes first first."""
        symbol = self.symbols[order.symbol]
        if order.side == Side.BUY:
            limit = order.price or symbol.highest()
            sells = [one for one in self.resting(order.symbol, Side.SELL) if one.price <= limit]
            return sorted(sells, key=lambda one: (one.price, one.since))
        limit = order.price or symbol.lowest()
        buys = [one for one in self.resting(order.symbol, Side.BUY) if one.price >= limit]
        return sorted(buys, key=lambda one: (-one.price, one.since))

    def resting(self, symbol: int, side: int) -> list[Resting]:
        return [one for one in self.orders if (one.state, one.symbol, one.side) == ("resting", symbol, side)]

    def run(self, order: Resting) -> None:
        against = self.against(order)
        before_own = against
        for place, one in enumerate(against):
            if one.account == order.account:
                before_own = against[:place]
                break
        if order.time_in_force == TimeInForce.FOK and sum(one.open for one in before_own) < order.open:
            return self.cancel(order, Reason.FOK)
        prices = []
        for one in before_own:
            if order.open:
                prices.append(one.price)
                self.trade(one, order)
        if prices:
            self.reach(order.symbol, prices)
        if not order.open:
            return self.orders.remove(order)
        if before_own is not against:
            return self.cancel(order, Reason.SELF_TRADE)
        if not order.price:
            return self.cancel(order, Reason.MARKET_REMAINDER)
        if order.time_in_force == TimeInForce.IOC:
            return self.cancel(order, Reason.IOC)
        order.state = "resting"
        order.since = self.place()
        return None

    def trade(self, resting: Resting, arriving: Resting) -> None:
        symbol = self.symbols[resting.symbol]
        lots, price = min(resting.open, arriving.open), resting.price
        symbol.trades += 1
        symbol.last_price = price
        for order in (resting, arriving):
            order.filled += lots
            order.value += lots * price
            self.trades.append((self.day, order.account, order.symbol, order.side, lots))
            self.said.append(
                Executed(
                    Outcome.EXECUTED,
                    order.session,
                    order.client_id,
                    order.order_id,
                    order.account,
                    order.symbol,
                    order.side,
                    price,
                    lots,
                    order.filled,
                    order.open,
                    order.value,
                    symbol.trades,
                    int(order is resting),
                )
            )
        if not resting.open:
            self.orders.remove(resting)

    def reach(self, symbol: int, prices: list[int]) -> None:
        reached = [
            one
            for one in self.orders
            if (one.state, one.symbol) == ("waiting", symbol)
            and any(price >= one.stop_price if one.side == Side.BUY else price <= one.stop_price for price in prices)
        ]
        for one in sorted(reached, key=lambda one: one.since):
            one.state = "reached"
            self.queue.append(one)

    def trigger(self, order: Resting) -> None:
        self.queue.remove(order)
        order.state, order.stop_price = "arriving", 0
        last_price = self.symbols[order.symbol].last_price
        self.said.append(
            StopTriggered(
                Outcome.STOP_TRIGGERED, order.session, order.client_id, order.order_id, order.symbol, last_price
            )
        )
        try:
            self.check(order)
        except Broken as broken:
            self.cancel(order, Reason.RISK, 0, *broken.args)
        else:
            self.run(order)

    # Cancels and replaces

    def find(self, session: int, client_id: int) -> Resting:
        for order in self.orders:
            if (order.session, order.client_id) == (session, client_id):
                return order
        raise Broken(Rule.UNKNOWN_ORDER, client_id, 0)

    def on_cancel(self, asked) -> None:
        self.cancel(self.find(asked.session, asked.target), Reason.REQUESTED, asked.client_id)

    def on_mass_cancel(self, asked) -> None:
        orders = [one for one in self.orders if one.session == asked.session]
        if asked.account:
            orders = [one for one in orders if one.account == asked.account]
        if asked.symbol:
            orders = [one for one in orders if one.symbol == asked.symbol]
        self.cancel_many(orders, Reason.MASS_CANCEL, asked.client_id)
        self.done(asked)

    def on_session_ended(self, asked) -> None:
        self.cancel_many([one for one in self.orders if one.session == asked.session], Reason.SESSION_ENDED)
        self.done(asked)

    def on_replace(self, asked) -> None:
        order = self.find(asked.session, asked.target)
        self.well_formed(asked.price, order.price > 0, 4)
        self.well_formed(asked.stop_price, order.state in ("waiting", "reached"), 5)
        if asked.quantity < 0:
            raise Broken(Rule.MALFORMED, asked.quantity, 6)
        self.count_rate(order.account)
        if asked.quantity <= order.filled:
            return self.cancel(order, Reason.REPLACED_BELOW_FILLED, asked.client_id)
        anew = Resting(
            **{**vars(order), "price": asked.price, "stop_price": asked.stop_price, "quantity": asked.quantity}
        )
        self.check(anew)
        same = (order.price, order.stop_price) == (asked.price, asked.stop_price)
        keeps = same and asked.quantity < order.quantity
        order.client_id, order.price = asked.client_id, asked.price
        order.stop_price, order.quantity = asked.stop_price, asked.quantity
        self.said.append(
            Replaced(
                Outcome.REPLACED,
                asked.session,
                asked.client_id,
                order.order_id,
                asked.target,
                asked.price,
                asked.stop_price,
                asked.quantity,
                order.open,
                int(keeps),
            )
        )
        if not keeps:
            if order in self.queue:
                self.queue.remove(order)
            order.state = "arriving"
            self.arrive(order)
        return None
