"""The carrier's book of parcels and of the news it owes about them. Nothing here waits; the caller awaits the commit.

    booked ── hand over ──► handed_over   (news: in_transit, then delivered)
       └───── void ───────► voided

Every act is idempotent. The news of a parcel is owed from the commit of its hand-over until the receiver has taken it,
across restarts, and may be sent more than once.
"""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from outside.errors import Refused
from outside.ledger import Ledger
from outside.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS parcels (
    tracking_number TEXT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    order_id TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS news (
    event_id TEXT PRIMARY KEY,
    tracking_number TEXT NOT NULL,
    order_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    at REAL NOT NULL,
    due_at REAL NOT NULL,
    behind TEXT,
    fault TEXT,
    taken_at REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS news_owed ON news (due_at) WHERE taken_at IS NULL;
CREATE INDEX IF NOT EXISTS news_parcel ON news (tracking_number);
"""

# The parcel is picked up early in its way: a quarter of it.
PICK_UP_SHARE = 0.25
# Faults of a parcel's news: sent twice; `delivered` before `in_transit`; the first sending lost on the way.
NEWS_FAULTS = ("callback_duplicate", "callback_reorder", "callback_lost_once")

Line = Annotated[str, Field(min_length=1, max_length=200)]


class Address(BaseModel):
    """Where a parcel goes."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    name: Line | None = None
    street: Line
    city: Line
    postcode: Line
    country: Line


class ShipmentRequest(BaseModel):
    """Body of POST /shipments."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    order_id: Annotated[str, Field(min_length=1, max_length=100)]
    address: Address
    weight_g: Annotated[int, Field(gt=0, le=10**9)]


@dataclass(frozen=True, slots=True)
class News:
    """One thing to tell about a parcel; `behind` is the event that is to be taken first, `fault` how the telling goes wrong."""

    event_id: str
    tracking_number: str
    order_id: str
    kind: str
    at: float
    due_at: float
    behind: str | None
    fault: str | None


class Parcels:
    """The book, kept in `store`, told to `ledger`; `clock` gives unix seconds."""

    def __init__(
        self, store: Store, ledger: Ledger, *, delivery_delay_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._delay = delivery_delay_seconds
        self._clock = clock

    def order_of(self, tracking_number: str) -> str | None:
        """The order a parcel belongs to, or None when there is no such parcel."""
        row = self._store.one("SELECT order_id FROM parcels WHERE tracking_number = ?", tracking_number)
        return None if row is None else row["order_id"]

    def book(self, key: str, request: ShipmentRequest) -> tuple[str, bool]:
        """The tracking number of the parcel with this key, and whether this call booked it.

        Raises Refused (422) when the key was used with another body.
        """
        body = request.model_dump_json()
        row = self._store.one("SELECT tracking_number, body FROM parcels WHERE key = ?", key)
        if row is not None:
            if row["body"] != body:
                raise Refused(422, f"key {key!r} was used before with another body")
            return row["tracking_number"], False
        tracking_number = self._unused_number()
        self._store.write(
            "INSERT INTO parcels (tracking_number, key, order_id, body, state) VALUES (?, ?, ?, ?, 'booked')",
            tracking_number,
            key,
            request.order_id,
            body,
        )
        self._ledger.record(
            "shipment", key, request.order_id, tracking_number=tracking_number, weight_g=request.weight_g
        )
        return tracking_number, True

    def hand_over(self, tracking_number: str, *, fault: str | None = None) -> list[News]:
        """Take the parcel and owe its news, which is returned; empty when it was taken before.

        Raises Refused: 404 for an unknown parcel, 409 for a voided one.
        """
        row = self._parcel(tracking_number)
        if row["state"] == "voided":
            raise Refused(409, f"parcel {tracking_number} was voided")
        if row["state"] == "handed_over":
            return []
        now = self._clock()
        order_id: str = row["order_id"]
        picked_up, delivered = uuid.uuid4().hex, uuid.uuid4().hex
        early, late = now + self._delay * PICK_UP_SHARE, now + self._delay
        fault = fault if fault in NEWS_FAULTS else None
        swapped = fault == "callback_reorder"
        news = [
            News(
                picked_up,
                tracking_number,
                order_id,
                "in_transit",
                early,
                late if swapped else early,
                delivered if swapped else None,
                fault,
            ),
            News(delivered, tracking_number, order_id, "delivered", late, late, None if swapped else picked_up, fault),
        ]
        self._store.write("UPDATE parcels SET state = 'handed_over' WHERE tracking_number = ?", tracking_number)
        for item in news:
            self._store.write(
                "INSERT INTO news (event_id, tracking_number, order_id, kind, at, due_at, behind, fault)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                item.event_id,
                item.tracking_number,
                item.order_id,
                item.kind,
                item.at,
                item.due_at,
                item.behind,
                item.fault,
            )
        self._ledger.record("handover", tracking_number, order_id, tracking_number=tracking_number)
        return news

    def void(self, tracking_number: str) -> None:
        """Cancel a parcel that was not handed over. Raises Refused: 404 for an unknown parcel, 409 when it is too late."""
        row = self._parcel(tracking_number)
        if row["state"] == "handed_over":
            raise Refused(409, f"parcel {tracking_number} was handed over")
        if row["state"] == "booked":
            self._store.write("UPDATE parcels SET state = 'voided' WHERE tracking_number = ?", tracking_number)
            self._ledger.record("void", tracking_number, row["order_id"], tracking_number=tracking_number)

    def show(self, tracking_number: str) -> dict[str, Any]:
        """The parcel and its news so far owed or told. Raises Refused (404)."""
        row = self._parcel(tracking_number)
        news = self._store.all(
            "SELECT event_id, kind, at, taken_at FROM news WHERE tracking_number = ? ORDER BY at", tracking_number
        )
        return {
            "tracking_number": tracking_number,
            "order_id": row["order_id"],
            "status": row["state"],
            "events": [dict(item) for item in news],
        }

    def changed(self, since: float, *, after: str, limit: int) -> list[dict[str, Any]]:
        """Parcels, as they stand now, of the orders for which something happened at `since` (unix seconds) or later, by number."""
        rows = self._store.all(
            "SELECT tracking_number, order_id, state AS status, (SELECT min(at) FROM news n"
            "  WHERE n.tracking_number = p.tracking_number AND n.kind = 'delivered' AND n.at <= ?) AS delivered_at"
            " FROM parcels p WHERE tracking_number > ? AND order_id IN (SELECT order_id FROM ledger WHERE at >= ?)"
            " ORDER BY tracking_number LIMIT ?",
            self._clock(),
            after,
            since,
            limit,
        )
        return [dict(row) for row in rows]

    def owed(self) -> list[News]:
        """All news not yet taken by the receiver, soonest first."""
        rows = self._store.all(
            "SELECT event_id, tracking_number, order_id, kind, at, due_at, behind, fault"
            " FROM news WHERE taken_at IS NULL ORDER BY due_at"
        )
        return [News(*row) for row in rows]

    def taken(self, news: News) -> bool:
        """Note that the receiver has it; False when that was noted before."""
        row = self._store.one("SELECT taken_at FROM news WHERE event_id = ?", news.event_id)
        if row is None or row["taken_at"] is not None:
            return False
        self._store.write("UPDATE news SET taken_at = ? WHERE event_id = ?", self._clock(), news.event_id)
        self._ledger.record(
            "callback", news.event_id, news.order_id, tracking_number=news.tracking_number, event=news.kind
        )
        return True

    def _parcel(self, tracking_number: str) -> Any:
        row = self._store.one("SELECT * FROM parcels WHERE tracking_number = ?", tracking_number)
        if row is None:
            raise Refused(404, f"no parcel {tracking_number}")
        return row

    def _unused_number(self) -> str:
        # Random, so that a carrier that starts anew beside an old shop does not give its old numbers again.
        while True:
            number = f"CP{secrets.randbelow(10**12):012d}"
            if self.order_of(number) is None:
                return number
