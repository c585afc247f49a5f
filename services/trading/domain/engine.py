"""Applies inputs in order. Pure: the same inputs give the same outcomes and the same state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from trading.domain import administration, order_entry
from trading.domain.execution import run_reached
from trading.domain.order_book import Book
from trading.domain.records import Record
from trading.domain.state import Account, Limits, Order, Session
from trading.domain.terms import Input


class Engine:
    """One shard: its symbols, accounts and sessions."""

    __slots__ = (
        "accounts",
        "books",
        "day",
        "killed_from",
        "limits",
        "now_us",
        "proposals",
        "reached",
        "second",
        "sequence",
        "sessions",
    )

    def __init__(self) -> None:
        self.sequence = 0
        """Inputs applied. The first has number 1."""
        self.now_us = 0
        self.second = 0
        self.day = 0
        self.killed_from = 0
        """Sequence number from which the kill switch of everything is on; 0 when it is off."""
        self.books: dict[int, Book] = {}
        self.accounts: dict[int, Account] = {}
        self.limits: dict[Limits, Limits] = {}
        """One tuple for all accounts whose limits are equal."""
        self.sessions: dict[int, Session] = {}
        self.proposals: dict[int, tuple[int, int, Limits]] = {}
        """By account: sequence number, who proposed, limits."""
        self.reached: deque[Order] = deque()
        """Stops that a trade reached, in the order in which they run."""

    def apply(self, record: Record) -> list[Record]:
        """Apply one input and say what came of it.

        The record has the shape of its class in inputs.py, see `records.checked`; anything else is a bug of the caller and raises.
        """
        self.sequence += 1
        out: list[Record] = []
        _APPLY[record[0]](self, record, out)
        if self.reached:
            run_reached(self, out)
        return out


_INPUTS: dict[int, Callable[[Engine, Record, list[Record]], None]] = {
    Input.NEW: order_entry.new,
    Input.CANCEL: order_entry.cancel,
    Input.REPLACE: order_entry.replace,
    Input.MASS_CANCEL: order_entry.mass_cancel,
    Input.SESSION_ENDED: order_entry.session_ended,
    Input.PHASE: administration.phase,
    Input.KILL: administration.kill,
    Input.PROPOSE_LIMITS: administration.propose_limits,
    Input.APPROVE_LIMITS: administration.approve_limits,
    Input.TIME: administration.time,
    Input.DAY: administration.day,
    Input.MARKET_DATA: administration.market_data,
    Input.LIST: administration.list_symbol,
}
_APPLY = {int(kind): apply for kind, apply in _INPUTS.items()}
"""By plain numbers, as records have them: a member of an enumeration is another object, and takes longer to compare."""
