"""What people ask for, as inputs of the engine, and what the engine says of them in words. Prices of people are decimal texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from trading.adapters.fix.directory import Symbol, symbol_of
from trading.adapters.layouts import Between, Known
from trading.domain.outcomes import OUTCOMES
from trading.domain.terms import Input, Outcome, Phase, Reason, Rule, Scope, Side, Switch, TimeInForce, Type
from trading.domain.tick_size import BadPrice
from trading.ports import Door, NotHandedOver
from trading.settings import Instrument
from trading.usecases.times import time_of

STATES = {Known.NEVER_SEEN: "not_taken", Known.CLOSED: "closed", Known.OPEN: "open"}
TICKS = frozenset(("price", "stop_price", "last_price"))
WORDS: Mapping[str, type[IntEnum]] = {
    "side": Side,
    "type": Type,
    "time_in_force": TimeInForce,
    "reason": Reason,
    "rule": Rule,
    "input": Input,
}
"""Fields of outcomes whose numbers have names."""


class BadRequest(ValueError):
    """A value that cannot be understood; `field` is its name."""

    def __init__(self, field: str, value: Any, reason: str) -> None:
        super().__init__(f"{field} is {value!r}: {reason}")
        self.field, self.value, self.reason = field, value, reason


class RefusedByRule(Exception):
    """The engine refused it; `told` has the rule and its numbers."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        super().__init__(f"{told['rule']}: {told['value']}, limit {told['limit']}")
        self.told = told


@dataclass(frozen=True, slots=True)
class Terms:
    """An order as a person writes it."""

    client_id: int
    account: int
    symbol: str
    side: str
    type: str
    time_in_force: str
    price: str | None
    stop_price: str | None
    quantity: int


class Requests:
    """Asks the engine for people."""

    def __init__(self, door: Door, symbols: Mapping[str, Instrument]) -> None:
        self._door, self._instruments = door, symbols
        self._symbols = {name: symbol_of(one.id, name, one.tick) for name, one in symbols.items()}
        self._names = {one.id: one for one in self._symbols.values()}

    async def order(self, token: str, session: int, terms: Terms) -> dict[str, Any]:
        """Place an order. A client id that was used already is answered by what became of it, as `repeated`."""
        symbol = self._symbol(terms.symbol)
        record = (
            int(Input.NEW),
            session,
            terms.client_id,
            terms.account,
            symbol.id,
            int(Side[terms.side.upper()]),
            int(Type[terms.type.upper()]),
            int(TimeInForce[terms.time_in_force.upper()]),
            _ticks(symbol, "price", terms.price, "limit" in terms.type),
            _ticks(symbol, "stop_price", terms.stop_price, "stop" in terms.type),
            terms.quantity,
        )
        return await self._of_client(token, record)

    async def cancel(self, token: str, session: int, client_id: int, target: int) -> dict[str, Any]:
        """Cancel the order that is known by `target`."""
        return await self._of_client(token, (int(Input.CANCEL), session, client_id, target))

    async def replace(
        self, token: str, session: int, client_id: int, target: int, price: str | None, quantity: int
    ) -> dict[str, Any]:
        """Give the order that is known by `target` a new price and a new total quantity."""
        known = await self.status(token, target)
        symbol = self._symbol(known.get("symbol", ""))
        record = (int(Input.REPLACE), session, client_id, target, _ticks(symbol, "price", price, True), 0, quantity)
        return await self._of_client(token, record)

    async def mass_cancel(self, token: str, session: int, client_id: int, symbol: str | None) -> dict[str, Any]:
        """Cancel all orders of the session, or those of a symbol."""
        number = self._symbol(symbol).id if symbol else 0
        return await self._of_client(token, (int(Input.MASS_CANCEL), session, client_id, 0, number))

    async def status(self, token: str, client_id: int) -> dict[str, Any]:
        """What the engine knows of a client id."""
        answer = await self._door.ask(token, {"status": client_id})
        return self._state(answer["outcomes"][-1])

    async def book(self, token: str, name: str) -> dict[str, Any]:
        """The best prices of a symbol, a tenth of a second old at most."""
        found: dict[str, Any] = (await self.market(token, name))["book"]
        return found

    async def trades(self, token: str, name: str) -> dict[str, Any]:
        """The last trades of a symbol, oldest first."""
        return {"symbol": name, "trades": (await self.market(token, name))["trades"]}

    async def market(self, token: str, name: str) -> dict[str, Any]:
        """Both, of one moment."""
        symbol = self._symbol(name)
        told = await self._door.ask(token, {"book": symbol.id})
        sides = {
            side: [{"price": symbol.price(price).decode(), "quantity": lots} for price, lots in told[side]]
            for side in ("bids", "asks")
        }
        trades = [
            {
                "number": number,
                "time": time_of(time_us),
                "price": symbol.price(price).decode(),
                "quantity": lots,
                "side": Side(side).name.lower(),
            }
            for number, time_us, price, lots, side in told.pop(
                "trades", ()
            )  # a keeper of the release before writes none
        ]
        book = {**told, "symbol": name, "phase": Phase(told["phase"]).name.lower(), **sides}
        return {"book": book, "trades": trades}

    async def venue(self, token: str, *, whole: bool) -> dict[str, Any]:
        """The kill switch of all, with the input from which it is on; with `whole` those of accounts and refusals by rule as well."""
        told = await self._door.ask(token, {"venue": True})
        found = {name: told[name] for name in ("sequence", "killed_from")} | {"time": time_of(told["time_us"])}
        if not whole:
            return found
        since = time_of(told["refused_since_us"])
        return {
            **found,
            "accounts_killed_from": told["accounts_killed_from"],
            "refused": told["refused"],
            "refused_since": since,
        }

    async def list_symbol(self, token: str, name: str) -> dict[str, Any]:
        """List a symbol as the settings have it. One that is listed already stays as it is."""
        symbol, one = self._symbol(name), self._instruments[name]
        try:
            return await self._administer(token, (int(Input.LIST), symbol.id, one.tick_value_minor, one.collar_bp))
        except RefusedByRule as refused:
            if refused.told["rule"] != Rule.ALREADY_LISTED.name.lower():
                raise
            return {"listed": "already"}

    async def phase(self, token: str, name: str, phase: str) -> dict[str, Any]:
        """Close, open or halt a symbol."""
        return await self._administer(token, (int(Input.PHASE), self._symbol(name).id, int(Phase[phase.upper()])))

    async def reference(self, token: str, name: str, price: str) -> dict[str, Any]:
        """Tell the reference price of a symbol's collar."""
        symbol = self._symbol(name)
        return await self._administer(
            token, (int(Input.MARKET_DATA), symbol.id, _ticks(symbol, "price", price, needed=True))
        )

    async def kill(self, token: str, scope: str, target: str | int, switch: str) -> dict[str, Any]:
        """Turn a kill switch: of all, of an account by its number, of a symbol by its name."""
        number = self._symbol(str(target)).id if scope == "symbol" else int(target)
        record = (int(Input.KILL), int(Scope[scope.upper()]), number, int(Switch[switch.upper()]))
        return await self._administer(token, record)

    async def propose_limits(self, token: str, person: int, account: int, limits: Sequence[int]) -> dict[str, Any]:
        """Propose limits for an account; another person approves them by the number that this gives."""
        told = await self._administer(token, (int(Input.PROPOSE_LIMITS), account, person, *limits))
        return {"proposal": told["outcomes"][-1]["number"]}

    async def approve_limits(self, token: str, person: int, account: int, proposal: int) -> dict[str, Any]:
        """Approve limits that another person proposed."""
        return await self._administer(token, (int(Input.APPROVE_LIMITS), account, person, proposal))

    def insist(self, name: str) -> None:
        """Raises BadRequest for a symbol that is not known."""
        self._symbol(name)

    async def _of_client(self, token: str, record: tuple[int, ...]) -> dict[str, Any]:
        answer = await self._door.ask(token, {"input": record})
        *said, status = answer["outcomes"]
        outcomes = [self._words(one) for one in said if one[0] != Between.JOURNAL_FULL]
        if len(outcomes) < len(said):
            raise NotHandedOver("JOURNAL_FULL: the journal has no room")
        refused = next((one for one in outcomes if one["outcome"] == "refused"), None)
        state = self._state(status)
        if refused and refused["rule"] == Rule.ID_NOT_RISING.name.lower() and refused["value"] <= refused["limit"]:
            return {**state, "repeated": True}
        if refused:
            raise RefusedByRule(refused)
        return {**state, "outcomes": outcomes}

    async def _administer(self, token: str, record: tuple[int, ...]) -> dict[str, Any]:
        answer = await self._door.ask(token, {"input": record})
        if any(one[0] == Between.JOURNAL_FULL for one in answer["outcomes"]):
            raise NotHandedOver("JOURNAL_FULL: the journal has no room")
        outcomes = [self._words(one) for one in answer["outcomes"]]
        if refused := next((one for one in outcomes if one["outcome"] == "refused"), None):
            raise RefusedByRule(refused)
        return {"outcomes": outcomes}

    def _state(self, status: Sequence[int]) -> dict[str, Any]:
        _, _, client_id, known, order_id, account, number, side, price, quantity, left, value = status
        told = {"client_id": client_id, "state": STATES[Known(known)]}
        if known != Known.OPEN:
            return told
        symbol, filled = self._names[number], quantity - left
        return told | {
            "order_id": order_id,
            "account": account,
            "symbol": symbol.name.decode(),
            "side": Side(side).name.lower(),
            "price": symbol.price(price).decode() if price else None,
            "quantity": quantity,
            "open": left,
            "filled": filled,
            "average_price": symbol.average(value, filled).decode() if filled else None,
        }

    def _words(self, outcome: Sequence[int]) -> dict[str, Any]:
        kind, *_ = outcome
        told: dict[str, Any] = {"outcome": Outcome(kind).name.lower()}
        fields = OUTCOMES[kind]._fields[1:]
        symbol = self._names.get(dict(zip(fields, outcome[1:], strict=True)).get("symbol", 0))
        for name, number in zip(fields, outcome[1:], strict=True):
            if name in WORDS:
                told[name] = WORDS[name](number).name.lower()
            elif name == "symbol" and symbol:
                told[name] = symbol.name.decode()
            elif name in TICKS and symbol:
                told[name] = symbol.price(number).decode() if number else None
            elif name in TICKS:
                told[f"{name}_ticks"] = number
            elif name != "session":
                told[name] = number
        return told

    def _symbol(self, name: str) -> Symbol:
        symbol = self._symbols.get(name)
        if symbol is None:
            raise BadRequest("symbol", name, f"there are {', '.join(self._symbols)}")
        return symbol


def _ticks(symbol: Symbol, field: str, price: str | None, needed: bool) -> int:
    if not needed:
        if price is not None:
            raise BadRequest(field, price, "this type of order has none")
        return 0
    if price is None:
        raise BadRequest(field, price, "this type of order needs one")
    try:
        return symbol.ticks(price.encode("ascii", "backslashreplace"))
    except BadPrice as error:
        raise BadRequest(field, price, str(error)) from error
