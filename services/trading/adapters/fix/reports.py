"""Outcomes of the engine as FIX messages to the client whose order they concern. For one thread.

An ExecID follows from the outcome alone, so a report that is sent twice has the same one. How much of an order is filled is remembered from
its own outcomes; an engine that was replaced says anew what is open.
"""

from collections import OrderedDict
from dataclasses import dataclass

from trading.adapters.fix import terms
from trading.adapters.fix.directory import Directory, Symbol, symbol_of
from trading.adapters.fix.requests import Request
from trading.adapters.layouts import Between, Known
from trading.domain.records import Record
from trading.domain.terms import Input, Outcome, Reason, Rule

CLOSED_KEPT = 100_000
EXECUTED, ACKNOWLEDGED = int(Outcome.EXECUTED), int(Outcome.ACKNOWLEDGED)
Message = tuple[bytes, bytes]
"""Message type and body."""


@dataclass(slots=True)
class Followed:
    """An open order as far as its outcomes tell."""

    symbol: Symbol
    side: int
    quantity: int
    filled: int = 0
    value: int = 0


class Reports:
    """Makes the messages of all sessions."""

    def __init__(self, directory: Directory) -> None:
        self._symbols = {symbol.id: symbol for symbol in directory.symbols.values()}
        self._orders: dict[int, Followed] = {}
        self._closed: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def message(self, outcome: Record, asked: Request | None) -> Message | None:
        """The message that tells an outcome; `asked` is the request that it answers, if this gateway has seen it."""
        kind = outcome[0]
        if kind == EXECUTED:
            return self._executed(outcome)
        if kind == ACKNOWLEDGED:
            return self._acknowledged(outcome)
        if kind == Outcome.REFUSED:
            _, session, client_id, rule, value, limit = outcome
            return self.refused(asked, session, client_id, f"{Rule(rule).name}: {value}, limit {limit}")
        if kind == Between.JOURNAL_FULL:
            return self.refused(asked, outcome[1], outcome[2], "JOURNAL_FULL: no room for its record is left")
        if kind == Between.STATUS:
            return self._status(outcome)
        if kind == Outcome.DONE:
            return self._done(outcome, asked)
        return self._changed(outcome)

    def follow(self, record: Record) -> None:
        """Take over an open order from an engine that was started; the record is a STATUS."""
        _, _, _, _, order_id, _, symbol, side, _, quantity, still_open, value = record
        if order_id not in self._orders:
            self._orders[order_id] = Followed(self._symbol(symbol), side, quantity, quantity - still_open, value)

    def refused(self, asked: Request | None, session: int, client_id: int, text: str, reason: int = 99) -> Message:
        """The refusal of a request, in the form that its kind has. A client id of 0 is not remembered: the engine never had the order."""
        shown = text.encode("ascii", "backslashreplace")
        if asked and asked.kind in (terms.CANCEL, terms.REPLACE):
            response = b"1" if asked.kind == terms.CANCEL else b"2"
            body = b"37=NONE\x0111=%b\x0141=%b\x0139=8\x01434=%b\x01102=%d\x0158=%b\x01"
            return terms.CANCEL_REJECT, body % (asked.client_id, asked.original, response, reason, shown)
        if asked and asked.kind == terms.MASS_CANCEL:
            body = b"11=%b\x0137=NONE\x01530=7\x01531=0\x01532=99\x0158=%b\x01"
            return terms.MASS_CANCEL_REPORT, body % (asked.client_id, shown)
        if client_id and (not asked or asked.kind == terms.NEW):
            self._close(session, client_id, b"8")
        text_id = asked.client_id if asked else b"%d" % client_id
        symbol = asked.symbol.name if asked and asked.symbol else b"?"
        side = terms.SIDES_OUT[asked.side] if asked and asked.side else b"1"
        body = b"37=NONE\x0117=R%d-%b\x01150=8\x0139=8\x0111=%b\x0155=%b\x0154=%b\x01151=0\x0114=0\x016=0\x01103=%d\x0158=%b\x01"
        return terms.EXECUTION, body % (session, text_id, text_id, symbol, side, reason, shown)

    def _acknowledged(self, outcome: Record) -> Message:
        _, _, client_id, order_id, account, symbol_id, side, *_, quantity = outcome
        symbol = self._symbol(symbol_id)
        self._orders[order_id] = Followed(symbol, side, quantity)
        body = (
            b"37=%d\x0117=A%d\x01150=0\x0139=0\x0111=%d\x011=%d\x0155=%b\x0154=%b\x0138=%d\x01151=%d\x0114=0\x016=0\x01"
        )
        return terms.EXECUTION, body % (
            order_id, order_id, client_id, account, symbol.name, terms.SIDES_OUT[side], quantity, quantity
        )  # fmt: skip

    def _executed(self, outcome: Record) -> Message:
        (
            _,
            session,
            client_id,
            order_id,
            account,
            symbol_id,
            side,
            price,
            lots,
            filled,
            still_open,
            value,
            trade,
            resting,
        ) = outcome
        symbol = self._symbol(symbol_id)
        if still_open:
            followed = self._orders.get(order_id) or self._orders.setdefault(order_id, Followed(symbol, side, 0))
            followed.quantity, followed.filled, followed.value = filled + still_open, filled, value
        else:
            self._orders.pop(order_id, None)
            self._close(session, client_id, b"2")
        body = (
            b"37=%d\x0117=T%d-%d-%d\x01150=F\x0139=%b\x0111=%d\x011=%d\x0155=%b\x0154=%b\x01"
            b"31=%b\x0132=%d\x01151=%d\x0114=%d\x016=%b\x01"
        )
        return terms.EXECUTION, body % (
            order_id, symbol_id, trade, resting, b"1" if still_open else b"2", client_id, account, symbol.name,
            terms.SIDES_OUT[side], symbol.price(price), lots, still_open, filled, symbol.average(value, filled),
        )  # fmt: skip

    def _changed(self, outcome: Record) -> Message:
        """Cancelled, expired, replaced, triggered."""
        kind, session, client_id, order_id = outcome[:4]
        followed = self._orders.get(order_id)
        exec_type, status = terms.EXEC_TYPES[kind]
        original, text, still_open = b"", "", 0
        shown = b"%d" % client_id
        if kind == Outcome.REPLACED:
            previous, quantity, still_open = outcome[4], outcome[7], outcome[8]
            original = b"41=%d\x01" % previous
            if followed:
                followed.quantity = quantity
            status = b"0" if still_open == quantity else b"1"
            self._close(session, previous, b"5")
        elif kind == Outcome.STOP_TRIGGERED:
            still_open = followed.quantity - followed.filled if followed else 0
        else:
            self._orders.pop(order_id, None)
            self._close(session, client_id, status)
        if kind == Outcome.CANCELLED:
            reason, request = outcome[8:10]
            text = Reason(reason).name
            if reason in (Reason.REQUESTED, Reason.REPLACED_BELOW_FILLED):
                shown, original = b"%d" % request, b"41=%d\x01" % client_id
            if outcome[10]:
                text += f": {Rule(outcome[10]).name}: {outcome[11]}, limit {outcome[12]}"
        body = b"37=%d\x0117=%b%d-%d-%b\x01150=%b\x0139=%b\x0111=%b\x01%b151=%d\x01" % (
            order_id, exec_type, session, order_id, shown, exec_type, status, shown, original, still_open
        )  # fmt: skip
        if followed:
            body += b"55=%b\x0154=%b\x0114=%d\x016=%b\x01" % (
                followed.symbol.name,
                terms.SIDES_OUT[followed.side],
                followed.filled,
                followed.symbol.average(followed.value, followed.filled),
            )
        return terms.EXECUTION, body + (b"58=%b\x01" % text.encode() if text else b"")

    def _status(self, outcome: Record) -> Message:
        _, session, client_id, known, order_id, account, symbol_id, side, price, quantity, still_open, value = outcome
        if known == Known.OPEN:
            symbol = self._symbol(symbol_id)
            body = b"37=%d\x0117=0\x01150=I\x0139=%b\x0111=%d\x011=%d\x0155=%b\x0154=%b\x0138=%d\x0144=%b\x01151=%d\x0114=%d\x016=%b\x01"
            return terms.EXECUTION, body % (
                order_id, b"0" if still_open == quantity else b"1", client_id, account, symbol.name, terms.SIDES_OUT[side],
                quantity, symbol.price(price), still_open, quantity - still_open,
                symbol.average(value, quantity - still_open),
            )  # fmt: skip
        status = self._closed.get((session, client_id))
        if known == Known.CLOSED and status is None:
            return (
                terms.BUSINESS_REJECT,
                b"372=H\x01379=%d\x01380=0\x0158=not open any more; its story is in the journal\x01" % client_id,
            )
        if known == Known.CLOSED and status:
            body = b"37=NONE\x0117=0\x01150=I\x0139=%b\x0111=%d\x0155=?\x0154=1\x01151=0\x01"
            return terms.EXECUTION, body % (status, client_id)
        body = b"37=NONE\x0117=0\x01150=I\x0139=8\x0111=%d\x0155=?\x0154=1\x01151=0\x0114=0\x016=0\x01103=5\x0158=never taken\x01"
        return terms.EXECUTION, body % client_id

    def _done(self, outcome: Record, asked: Request | None) -> Message | None:
        _, _, client_id, kind, number = outcome
        if kind != Input.MASS_CANCEL:
            return None
        scope = b"1" if asked and asked.symbol else b"7"
        return terms.MASS_CANCEL_REPORT, b"11=%d\x0137=%d\x01530=%b\x01531=%b\x01" % (client_id, number, scope, scope)

    def _symbol(self, number: int) -> Symbol:
        """The symbol of a number, also when it has left the directory."""
        return self._symbols.get(number) or symbol_of(number, str(number), "1")

    def _close(self, session: int, client_id: int, status: bytes) -> None:
        self._closed[session, client_id] = status
        if len(self._closed) > CLOSED_KEPT:
            self._closed.popitem(last=False)
