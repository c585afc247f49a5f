"""Symbols, phases, kill switches, limits, time and market data of the slow exchange."""

from fakes.slow_state import HIGHEST_PRICE, Broken, SlowState, Symbol
from trading.domain.outcomes import Done, Expired
from trading.domain.terms import Outcome, Phase, Reason, Rule, Scope, Switch, TimeInForce


class SlowAdministration(SlowState):
    """One method an input."""

    def done(self, asked) -> None:
        session, client_id = getattr(asked, "session", 0), getattr(asked, "client_id", 0)
        self.said.append(Done(Outcome.DONE, session, client_id, asked.kind, self.number))

    def inside(self, asked, name: str, lowest: int, highest: int) -> None:
        value = getattr(asked, name)
        if not lowest <= value <= highest:
            raise Broken(Rule.MALFORMED, value, asked._fields.index(name))

    def listed(self, symbol: int) -> Symbol:
        if symbol not in self.symbols:
            raise Broken(Rule.UNKNOWN_SYMBOL, symbol, 0)
        return self.symbols[symbol]

    def on_list(self, asked) -> None:
        self.inside(asked, "symbol", 1, 2**32 - 1)
        self.inside(asked, "tick_value_minor", 1, 10**6)
        self.inside(asked, "collar_bp", 0, 10_000)
        if asked.symbol in self.symbols:
            raise Broken(Rule.ALREADY_LISTED, asked.symbol, 0)
        self.symbols[asked.symbol] = Symbol(asked.tick_value_minor, asked.collar_bp)
        self.done(asked)

    def on_market_data(self, asked) -> None:
        symbol = self.listed(asked.symbol)
        self.inside(asked, "price", 1, HIGHEST_PRICE)
        symbol.reference = asked.price

    def on_phase(self, asked) -> None:
        symbol = self.listed(asked.symbol)
        self.inside(asked, "phase", 1, 3)
        symbol.phase = asked.phase
        if asked.phase == Phase.CLOSED:
            gone = [one for one in self.orders if one.symbol == asked.symbol and one.time_in_force != TimeInForce.GTC]
            for order in sorted(gone, key=lambda one: one.order_id):
                self.forget(order)
                self.said.append(
                    Expired(
                        Outcome.EXPIRED,
                        order.session,
                        order.client_id,
                        order.order_id,
                        order.account,
                        order.symbol,
                        order.side,
                        order.open,
                    )
                )
        self.done(asked)

    def on_kill(self, asked) -> None:
        self.inside(asked, "scope", 1, 3)
        self.inside(asked, "switch", 0, 2)
        target, orders = 0, list(self.orders)
        if asked.scope == Scope.ACCOUNT:
            target, orders = asked.target, [one for one in orders if one.account == asked.target]
            if target not in self.limits:
                raise Broken(Rule.UNKNOWN_ACCOUNT, target, 0)
        if asked.scope == Scope.SYMBOL:
            target, orders = asked.target, [one for one in orders if one.symbol == asked.target]
            self.listed(target)
        if asked.switch == Switch.OFF:
            self.switches.pop((asked.scope, target), None)
        else:
            self.switches.setdefault((asked.scope, target), self.number)
        if asked.switch == Switch.CANCEL:
            self.cancel_many(orders, Reason.KILL_SWITCH)
        self.done(asked)

    def on_propose_limits(self, asked) -> None:
        self.inside(asked, "account", 1, 2**32 - 1)
        self.inside(asked, "person", 1, 2**32 - 1)
        for name in asked._fields[3:]:
            self.inside(asked, name, 0, 10**9 if name == "max_quantity" else 2**62)
        self.proposed[asked.account] = (self.number, asked.person, asked[3:])
        self.done(asked)

    def on_approve_limits(self, asked) -> None:
        self.inside(asked, "person", 1, 2**32 - 1)
        number, person, limits = self.proposed.get(asked.account, (None, 0, ()))
        if number != asked.proposal:
            raise Broken(Rule.UNKNOWN_PROPOSAL, asked.proposal, asked.account)
        if person == asked.person:
            raise Broken(Rule.SAME_PERSON, person, number)
        del self.proposed[asked.account]
        self.limits[asked.account] = limits
        self.done(asked)

    def on_time(self, asked) -> None:
        if asked.now_us < self.now:
            raise Broken(Rule.BACKWARDS, asked.now_us, self.now)
        self.now = asked.now_us

    def on_day(self, asked) -> None:
        if asked.day <= self.day:
            raise Broken(Rule.BACKWARDS, asked.day, self.day)
        self.day = asked.day
        self.done(asked)
