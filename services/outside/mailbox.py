"""Messages as they were taken, each a row and a ledger entry; the same Message-ID twice is two of both, which is how
repeats show.

Only headers are read when a message is taken; its text is read out of the raw bytes when somebody asks for it.
"""

import email
import email.parser
import email.policy
from collections.abc import Callable
from dataclasses import dataclass
from email.header import decode_header, make_header
from typing import Any

from outside.ledger import Ledger
from outside.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    message_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    order_id TEXT,
    kind TEXT,
    raw BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_order ON messages (order_id, id);
"""

# A header is all that is wanted of a message at first; a body of any size costs nothing.
_HEADERS = email.parser.BytesHeaderParser(policy=email.policy.compat32)


@dataclass(frozen=True, slots=True)
class Received:
    """One message and what its headers say; `order_id` and `kind` come from X-Order-Id and X-Mail-Kind."""

    raw: bytes
    recipient: str
    message_id: str
    order_id: str | None
    kind: str | None

    @classmethod
    def read(cls, recipients: list[str], raw: bytes) -> "Received":
        """The message out of its bytes."""
        headers = _HEADERS.parsebytes(raw)
        return cls(
            raw,
            ", ".join(recipients),
            _text(headers["Message-ID"]) or "",
            _text(headers["X-Order-Id"]),
            _text(headers["X-Mail-Kind"]),
        )


class Mailbox:
    """Every message of the server, kept in `store`, told to `ledger`; `clock` gives unix seconds."""

    def __init__(self, store: Store, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock

    def take(self, message: Received) -> None:
        """Keep one message; the caller awaits the commit."""
        self._store.write(
            "INSERT INTO messages (at, message_id, recipient, order_id, kind, raw) VALUES (?, ?, ?, ?, ?, ?)",
            self._clock(),
            message.message_id,
            message.recipient,
            message.order_id,
            message.kind,
            message.raw,
        )
        self._ledger.record("mail", message.message_id, message.order_id, mail_kind=message.kind, to=message.recipient)

    def page(self, *, after: int, limit: int, order_id: str | None) -> list[dict[str, Any]]:
        """At most `limit` messages with an id above `after`, oldest first, of one order when it is given."""
        rows = self._store.all(
            "SELECT * FROM messages WHERE id > ? AND (? IS NULL OR order_id = ?) ORDER BY id LIMIT ?",
            after,
            order_id,
            order_id,
            limit,
        )
        return [_message(row) for row in rows]


def _message(row: Any) -> dict[str, Any]:
    parsed = email.message_from_bytes(row["raw"], policy=email.policy.default)
    body = parsed.get_body(("plain", "html"))
    return {
        "id": row["id"],
        "at": row["at"],
        "message_id": row["message_id"],
        "to": row["recipient"],
        "subject": str(parsed["subject"] or ""),
        "order_id": row["order_id"],
        "kind": row["kind"],
        "body": "" if body is None else body.get_content(),
    }


def _text(header: Any) -> str | None:
    return None if header is None else str(make_header(decode_header(header))).strip()
