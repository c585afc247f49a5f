"""Who sends, and what is answered to whom. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.domain.records import Record
from trading.domain.risk import Breach
from trading.domain.state import Session
from trading.domain.terms import MAX_ID, Outcome, Rule

if TYPE_CHECKING:
    from trading.domain.engine import Engine

REFUSED = int(Outcome.REFUSED)


def identified(engine: Engine, session_id: int, client_id: int, out: list[Record]) -> Session | None:
    """The session, its client id used from now on; None when the id did not rise, which is refused."""
    session = engine.sessions.get(session_id)
    if session is None:
        if not 0 < session_id <= MAX_ID:
            refuse(session_id, client_id, (Rule.MALFORMED, session_id, 1), out)
            return None
        session = engine.sessions[session_id] = Session(session_id)
    if client_id <= session.last_id:
        refuse(session_id, client_id, (Rule.ID_NOT_RISING, client_id, session.last_id), out)
        return None
    session.last_id = client_id
    return session


def refuse(session_id: int, client_id: int, breach: Breach, out: list[Record]) -> None:
    """Say which rule is broken, by which numbers."""
    rule, value, limit = breach
    out.append((REFUSED, session_id, client_id, int(rule), value, limit))
