"""The books of payment provider and carrier, read page by page over HTTP; see orders.ports.Records."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from orders.adapters.wire import Wire
from orders.domain.saga import Parcel
from orders.ports import ChargeRecord, ChargeStatus, ParcelRecord

PAGE = 500
_PARCEL = {"booked": Parcel.LABELLED, "handed_over": Parcel.HANDED_OVER, "voided": Parcel.VOIDED}


class HttpRecords:
    """Reads over a wire to the provider and one to the carrier."""

    def __init__(self, payments: Wire, carrier: Wire) -> None:
        self._payments = payments
        self._carrier = carrier

    def charges(self, since: datetime) -> Iterator[ChargeRecord]:
        for row in _pages(self._payments, "/charges", "charges", "key", since):
            yield ChargeRecord(
                row["key"], ChargeStatus(row["status"]), row["order_id"], row["amount_minor"], row["currency"]
            )

    def parcels(self, since: datetime) -> Iterator[ParcelRecord]:
        for row in _pages(self._carrier, "/shipments", "shipments", "tracking_number", since):
            delivered = row["delivered_at"] is not None
            yield ParcelRecord(row["tracking_number"], row["order_id"], _PARCEL[row["status"]], delivered)


def _pages(wire: Wire, path: str, name: str, by: str, since: datetime) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        query = urlencode({"changed_since": int(since.timestamp()), "after": after, "limit": PAGE})
        rows: list[dict[str, Any]] = wire.member(wire.read(f"{path}?{query}", answers=(200,)), name)
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][by]
