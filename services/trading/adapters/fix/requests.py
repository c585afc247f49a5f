"""What a client asks for by FIX, as inputs of the engine. Pure.

A ClOrdID is a whole number without leading zeros that rises within the session, because the engine names orders so. Quantities are
whole lots, prices whole ticks of their symbol. What does not fit is refused here, by a sentence that names the value; it reaches
neither engine nor journal.
"""

from dataclasses import dataclass

from trading.adapters.fix import terms
from trading.adapters.fix.codec import Fields
from trading.adapters.fix.directory import Directory, Login, Symbol
from trading.adapters.layouts import Between
from trading.domain.records import BITS, Record
from trading.domain.terms import MAX_PRICE, MAX_QUANTITY, Input, Type
from trading.domain.tick_size import BadPrice

MAX_CLIENT_ID = 2**BITS - 1


class MissingTag(ValueError):
    """A field that the message must have is not there."""

    def __init__(self, tag: int) -> None:
        super().__init__(f"tag {tag} is missing")
        self.tag = tag


class Refused(ValueError):
    """A field has a value that cannot be taken; `tag` is its tag."""

    def __init__(self, tag: int, reason: str) -> None:
        super().__init__(reason)
        self.tag = tag


@dataclass(frozen=True, slots=True)
class Request:
    """An input, and what an answer has to repeat of the message that it came in."""

    record: Record
    kind: bytes
    client_id: bytes
    original: bytes
    symbol: Symbol | None
    side: int


def request(fields: Fields, login: Login, directory: Directory) -> Request:
    """The input that an application message is; raises MissingTag or Refused."""
    kind, session = fields[terms.MSG_TYPE], login.id
    text = _field(fields, terms.CL_ORD_ID)
    client_id = _whole(fields, terms.CL_ORD_ID, MAX_CLIENT_ID)
    if kind == terms.NEW:
        return _order(fields, login, directory, client_id, text)
    if kind == terms.MASS_CANCEL:
        account, symbol = 0, None
        if terms.ACCOUNT in fields:
            account = _account(fields, login)
        if fields.get(terms.MASS_CANCEL_TYPE) not in (b"1", b"7"):
            raise Refused(
                terms.MASS_CANCEL_TYPE, f"MassCancelRequestType is 1 or 7, got {_shown(fields, terms.MASS_CANCEL_TYPE)}"
            )
        if fields[terms.MASS_CANCEL_TYPE] == b"1":
            symbol = _symbol(fields, directory)
        record: Record = (int(Input.MASS_CANCEL), session, client_id, account, symbol.id if symbol else 0)
        return Request(record, kind, text, b"", symbol, 0)
    if kind == terms.STATUS:
        side = terms.SIDES.get(fields.get(terms.SIDE, b""), 0)
        return Request((int(Between.STATUS_REQUEST), session, 0, client_id), kind, text, b"", None, side)
    original = _field(fields, terms.ORIG_CL_ORD_ID)
    target = _whole(fields, terms.ORIG_CL_ORD_ID, MAX_CLIENT_ID)
    symbol, side = _symbol(fields, directory), _one_of(fields, terms.SIDE, terms.SIDES)
    if kind == terms.CANCEL:
        return Request((int(Input.CANCEL), session, client_id, target), kind, text, original, symbol, side)
    quantity = _whole(fields, terms.ORDER_QTY, MAX_QUANTITY)
    price = _price(fields, terms.PRICE, symbol) if terms.PRICE in fields else 0
    stop = _price(fields, terms.STOP_PRICE, symbol) if terms.STOP_PRICE in fields else 0
    record = (int(Input.REPLACE), session, client_id, target, price, stop, quantity)
    return Request(record, kind, text, original, symbol, side)


def _order(fields: Fields, login: Login, directory: Directory, client_id: int, text: bytes) -> Request:
    symbol = _symbol(fields, directory)
    side = _one_of(fields, terms.SIDE, terms.SIDES)
    kind = _one_of(fields, terms.ORD_TYPE, terms.TYPES)
    time_in_force = terms.TIMES_IN_FORCE[b"0"]
    if terms.TIME_IN_FORCE in fields:
        time_in_force = _one_of(fields, terms.TIME_IN_FORCE, terms.TIMES_IN_FORCE)
    price = _price(fields, terms.PRICE, symbol) if kind in (Type.LIMIT, Type.STOP_LIMIT) else 0
    stop = _price(fields, terms.STOP_PRICE, symbol) if kind in (Type.STOP, Type.STOP_LIMIT) else 0
    quantity = _whole(fields, terms.ORDER_QTY, MAX_QUANTITY)
    account = _account(fields, login)
    record = (int(Input.NEW), login.id, client_id, account, symbol.id, side, kind, time_in_force, price, stop, quantity)
    return Request(record, terms.NEW, text, b"", symbol, side)


def _field(fields: Fields, tag: int) -> bytes:
    value = fields.get(tag)
    if value is None:
        raise MissingTag(tag)
    return value


def _whole(fields: Fields, tag: int, most: int) -> int:
    text = _field(fields, tag)
    # The length first: Python refuses to convert very long digits, and slowly.
    if not text.isdigit() or len(text) > 19 or (text[:1] == b"0" and text != b"0") or not 0 < int(text) <= most:
        raise Refused(tag, f"tag {tag} is a whole number from 1 to {most}, got {_shown(fields, tag)}")
    return int(text)


def _price(fields: Fields, tag: int, symbol: Symbol) -> int:
    try:
        ticks = symbol.ticks(_field(fields, tag))
    except BadPrice as error:
        raise Refused(tag, f"tag {tag}: {error}") from error
    if ticks > MAX_PRICE:
        raise Refused(tag, f"tag {tag} is at most {MAX_PRICE} ticks of {symbol.tick}, got {_shown(fields, tag)}")
    return ticks


def _symbol(fields: Fields, directory: Directory) -> Symbol:
    symbol = directory.symbols.get(_field(fields, terms.SYMBOL))
    if symbol is None:
        raise Refused(terms.SYMBOL, f"no symbol {_shown(fields, terms.SYMBOL)}")
    return symbol


def _account(fields: Fields, login: Login) -> int:
    account = _whole(fields, terms.ACCOUNT, 2**32 - 1)
    if account not in login.accounts:
        raise Refused(terms.ACCOUNT, f"account {account} is none of this session")
    return account


def _one_of(fields: Fields, tag: int, known: dict[bytes, int]) -> int:
    value = known.get(_field(fields, tag))
    if value is None:
        values = ", ".join(one.decode() for one in known)
        raise Refused(tag, f"tag {tag} is one of {values}, got {_shown(fields, tag)}")
    return value


def _shown(fields: Fields, tag: int) -> str:
    value = fields.get(tag)
    return "nothing" if value is None else value[:40].decode("ascii", "backslashreplace")
