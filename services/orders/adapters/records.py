"""The books of payment provider and carrier, read page by page over HTTP; see orders.ports.Records.

A row that cannot be read ends the reading, because a reconciliation that leaves out what it cannot read would call it settled.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from chassis.errors import Transient
from orders.adapters.answers import described, number_of_parcel
from orders.adapters.wire import Wire
from orders.domain.saga import Parcel
from orders.ports import ChargeRecord, ChargeStatus, ParcelRecord

PAGE = 500
_STATUS = {str(status): status for status in ChargeStatus}
_PARCEL = {"booked": Parcel.LABELLED, "handed_over": Parcel.HANDED_OVER, "voided": Parcel.VOIDED}
# PostgreSQL's bigint, which holds the amounts of our orders.
_LARGEST_AMOUNT = 2**63 - 1

R = TypeVar("R")


class HttpRecords:
    """Reads over a wire to the provider and one to the carrier."""

    def __init__(self, payments: Wire, carrier: Wire) -> None:
        self._payments = payments
        self._carrier = carrier

    def charges(self, since: datetime) -> Iterator[ChargeRecord]:
        for row in _pages(self._payments, "/charges", "charges", "key", since):
            yield _read(_charge, row)

    def parcels(self, since: datetime) -> Iterator[ParcelRecord]:
        for row in _pages(self._carrier, "/shipments", "shipments", "tracking_number", since):
            yield _read(_parcel, row)


def _charge(row: Mapping[str, Any]) -> ChargeRecord:
    currency = _text(row, "currency", missing=True)
    return ChargeRecord(
        str(_text(row, "key")),
        _STATUS[str(_text(row, "status"))],
        _text(row, "order_id", missing=True),
        _amount(row["amount_minor"]),
        None if currency is None else described(currency),
    )


def _parcel(row: Mapping[str, Any]) -> ParcelRecord:
    number = number_of_parcel(row["tracking_number"])
    state = _PARCEL[str(_text(row, "status"))]
    return ParcelRecord(number, str(_text(row, "order_id")), state, row["delivered_at"] is not None)


def _text(row: Mapping[str, Any], name: str, *, missing: bool = False) -> str | None:
    value = row[name]
    if isinstance(value, str) or (missing and value is None):
        return value
    raise TypeError(f"{name} is {described(value)!r}, which is no text")


def _amount(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST_AMOUNT):
        return value
    raise TypeError(f"amount_minor is {described(value)!r}, which is no whole number of minor units")


def _read(parse: Callable[[Mapping[str, Any]], R], row: Any) -> R:
    try:
        return parse(row)
    except (KeyError, TypeError, ValueError) as error:
        raise Transient(f"a record cannot be read: {described(str(row))}: {described(repr(error))}") from error


def _pages(wire: Wire, path: str, name: str, by: str, since: datetime) -> Iterator[Any]:
    after = ""
    while True:
        query = urlencode({"changed_since": int(since.timestamp()), "after": after, "limit": PAGE})
        answer = wire.read(f"{path}?{query}", answers=(200,))
        rows = answer.member(name)
        if not isinstance(rows, list):
            raise answer.unreadable(f"with {name} that is no list")
        yield from rows
        if len(rows) < PAGE:
            return
        # The rows were read, so the last one has it.
        before, after = after, str(rows[-1][by])
        if after <= before:
            raise answer.unreadable(f"with a page that ends at {described(after)!r}, not behind {described(before)!r}")
