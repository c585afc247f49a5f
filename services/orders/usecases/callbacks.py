"""What the carrier tells us. Callbacks come late, twice, in any order, and from anybody: hence signature, window and event id.

Signature: hex HMAC-SHA256 of `<timestamp>.<body>` with a shared secret (RFC 2104), so that neither can be changed or reused later.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime

from chassis import subject_traces
from orders.domain import saga
from orders.ports import Change, IntakeStore, IntakeTransaction
from orders.usecases import follow
from orders.usecases.errors import BadSignature, NotFound
from orders.usecases.subject import ATTRIBUTE

# Both ways: clocks differ, and a retry is signed anew.
WINDOW_SECONDS = 300

_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class CarrierEvent:
    """One event of a parcel; `kind` is `in_transit` or `delivered`."""

    event_id: str
    tracking_number: str
    kind: str
    at: datetime


def verify(secret: str, timestamp: str, signature: str, body: bytes) -> None:
    """Check that the carrier sent this body, some time or other. Raises BadSignature."""
    expected = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not secret or not hmac.compare_digest(expected.encode(), signature.encode()):
        raise BadSignature("X-Carrier-Signature", signature, "is not the signature of this body")


def verify_time(timestamp: str, now: float) -> None:
    """Check that what the carrier signed was sent less than five minutes from `now` (unix seconds). Raises BadSignature."""
    if not _SECONDS.fullmatch(timestamp) or abs(int(timestamp) - now) > WINDOW_SECONDS:
        raise BadSignature("X-Carrier-Timestamp", timestamp, f"is not within {WINDOW_SECONDS} s of now")


class Callbacks:
    """Takes the carrier's events."""

    def __init__(self, store: IntakeStore) -> None:
        self._store = store

    def take(self, event: CarrierEvent, timestamp: str) -> bool:
        """Record an event once; False when it is known. `timestamp` is when it was sent, as its signature says, and already verified.

        Raises BadSignature when that is not within five minutes of the database's time, NotFound for a parcel we do not know (yet),
        StoreUnavailable.
        """
        with self._store.begin() as tx:
            verify_time(timestamp, tx.now().timestamp())
            if not tx.remember_callback(event.event_id, event.tracking_number, event.kind, event.at):
                return False
            order_id = tx.order_of_parcel(event.tracking_number)
            if order_id is None:
                raise NotFound("tracking_number", event.tracking_number, "no such parcel")
            self._apply(tx, order_id, event)
            return True

    def _apply(self, tx: IntakeTransaction, order_id: str, event: CarrierEvent) -> None:
        headers = subject_traces.concerns(ATTRIBUTE, order_id, lambda: tx.went_wrong(order_id))
        before = tx.lock([order_id])[order_id]
        advance = saga.deliver(before) if event.kind == "delivered" else None
        after = advance.saga if advance else before
        tx.note([follow.event(order_id, f"carrier.{event.kind}", after, carrier_at=event.at.isoformat())])
        if advance is not None:
            order = tx.orders([order_id])[order_id]
            tx.save([Change(order_id, after, needs_attention=order.needs_attention)])
            tx.put(follow.commands(order_id, advance, headers))
