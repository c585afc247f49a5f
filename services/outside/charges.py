"""The payment provider's book: one row for each key, and what may become of it.

    (never seen) ── charge ──► captured ── reverse ──► refunded
         │             └─────► declined
         └── reverse ────────► voided      a tombstone: a charge that comes late with this key is refused

Every act is idempotent by key, and each change of state is one ledger entry. Nothing here waits; the caller awaits the
commit.
"""

import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from outside.errors import Refused
from outside.ledger import Ledger
from outside.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    key TEXT PRIMARY KEY,
    charge_id TEXT,
    order_id TEXT,
    amount_minor INTEGER,
    currency TEXT,
    card TEXT,
    status TEXT NOT NULL,
    reason TEXT
) WITHOUT ROWID;
"""

# The card that never works, for tests and demonstrations.
DECLINED_CARD = "tok_declined"
# Every other token works; what is no token is no card.
TOKEN_PREFIX = "tok_"


class ChargeRequest(BaseModel):
    """Body of POST /charges."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    order_id: Annotated[str, Field(min_length=1, max_length=100)]
    amount_minor: Annotated[int, Field(gt=0, le=10**12)]
    """In the currency's smallest unit."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    card: Annotated[str, Field(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class ChargeRecord:
    """What the book says about one key; `fresh` when this very call wrote it."""

    status: str
    charge_id: str | None
    order_id: str | None
    reason: str | None
    fresh: bool = False


class Charges:
    """The book, kept in `store`, told to `ledger`."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def find(self, key: str) -> ChargeRecord | None:
        """The record of a key, or None when it was never seen."""
        row = self._store.one("SELECT status, charge_id, order_id, reason FROM charges WHERE key = ?", key)
        return None if row is None else ChargeRecord(row["status"], row["charge_id"], row["order_id"], row["reason"])

    def changed(self, since: float, *, after: str, limit: int) -> list[dict[str, Any]]:
        """Charges, as they stand now, of the keys that something happened to at `since` (unix seconds) or later, by key."""
        rows = self._store.all(
            "SELECT key, charge_id, order_id, amount_minor, currency, status, reason FROM charges"
            " WHERE key > ? AND key IN (SELECT key FROM ledger WHERE at >= ?) ORDER BY key LIMIT ?",
            after,
            since,
            limit,
        )
        return [dict(row) for row in rows]

    def charge(self, key: str, request: ChargeRequest, *, decline: str | None = None) -> ChargeRecord:
        """Capture once, or decline for the reason `decline`; a key seen before gives its record as it now stands.

        Raises Refused (422) when the key was used with another body.
        """
        row = self._store.one("SELECT * FROM charges WHERE key = ?", key)
        if row is not None:
            body = (row["order_id"], row["amount_minor"], row["currency"], row["card"])
            if row["status"] != "voided" and body != _body(request):
                raise Refused(422, f"key {key!r} was used before with another body")
            return ChargeRecord(row["status"], row["charge_id"], row["order_id"], row["reason"])
        reason = decline or _unfit(request.card)
        status, kind = ("captured", "capture") if reason is None else ("declined", "decline")
        charge_id = f"ch_{secrets.token_hex(12)}"
        self._store.write(
            "INSERT INTO charges (key, charge_id, order_id, amount_minor, currency, card, status, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            key,
            charge_id,
            *_body(request),
            status,
            reason,
        )
        self._ledger.record(
            kind,
            key,
            request.order_id,
            charge_id=charge_id,
            amount_minor=request.amount_minor,
            currency=request.currency,
            **({} if reason is None else {"reason": reason}),
        )
        return ChargeRecord(status, charge_id, request.order_id, reason, fresh=True)

    def reverse(self, key: str) -> ChargeRecord:
        """Refund what was captured, or bar a key never seen; a second call changes nothing."""
        row = self._store.one("SELECT * FROM charges WHERE key = ?", key)
        if row is None:
            self._store.write("INSERT INTO charges (key, status) VALUES (?, 'voided')", key)
            self._ledger.record("void", key, None)
            return ChargeRecord("voided", None, None, None, fresh=True)
        if row["status"] != "captured":
            return ChargeRecord(row["status"], row["charge_id"], row["order_id"], row["reason"])
        self._store.write("UPDATE charges SET status = 'refunded' WHERE key = ?", key)
        self._ledger.record(
            "refund",
            key,
            row["order_id"],
            charge_id=row["charge_id"],
            amount_minor=row["amount_minor"],
            currency=row["currency"],
        )
        return ChargeRecord("refunded", row["charge_id"], row["order_id"], None, fresh=True)


def _body(request: ChargeRequest) -> tuple[str, int, str, str]:
    return request.order_id, request.amount_minor, request.currency, request.card


def _unfit(card: str) -> str | None:
    if card == DECLINED_CARD:
        return "card declined"
    return None if card.startswith(TOKEN_PREFIX) else "unknown card"
