"""What kind of failure an exception of the database is: the one place that decides it, from the SQLSTATE and the exception's class. Pure.

Whoever uses the database asks `kind_of` and nothing else: a worker waits, tries again or parks; an API answers 503 or 500.
Source: PostgreSQL, appendix A, "PostgreSQL Error Codes"; PgBouncer answers 08P01 for itself.
"""

import sys
from collections.abc import Iterator
from enum import StrEnum

import sqlalchemy as sa
from billiard.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import DBAPIError


class Kind(StrEnum):
    """What a failure says about the next try."""

    UNAVAILABLE = "unavailable"
    """The database as a whole cannot do it now, whoever asks: away, starting, read-only, full. Wait, then try again."""
    CONTENDED = "contended"
    """The statement lost to another one, or took too long; the database is well. Try again."""
    INTERRUPTED = "interrupted"
    """The task's soft time limit passed during the call."""
    FAULT = "fault"
    """The statement or its values are wrong, or it is no failure of the database at all. The next try would fail the same way."""


ERRORS: tuple[type[Exception], ...] = (DBAPIError, sa.exc.TimeoutError)
"""What a call to the database raises: the driver's errors as they are wrapped, and that no connection of the pool was free in time."""

READ_ONLY = "25006"
"""The server takes no changes: a standby, or one whose administrator (or disk) made transactions read-only."""

_KINDS = {
    "08": Kind.UNAVAILABLE,  # connection exception
    READ_ONLY: Kind.UNAVAILABLE,
    "25P03": Kind.CONTENDED,  # idle_in_transaction_session_timeout
    "25P04": Kind.CONTENDED,  # transaction_timeout
    "26000": Kind.CONTENDED,  # a prepared statement that another client of the pooler has replaced
    "28": Kind.UNAVAILABLE,  # the login is refused
    "3D000": Kind.UNAVAILABLE,  # no such database: one that is being restored
    "40": Kind.CONTENDED,  # rolled back: deadlock, serialization failure
    "42501": Kind.UNAVAILABLE,  # a privilege was taken from the role, and can be given back
    "42P05": Kind.CONTENDED,  # a prepared statement that another client of the pooler has made
    "53": Kind.UNAVAILABLE,  # out of disk, memory or connections
    "55006": Kind.CONTENDED,  # object in use
    "55P03": Kind.CONTENDED,  # lock_timeout
    "57014": Kind.CONTENDED,  # statement_timeout, or cancelled
    "57P": Kind.UNAVAILABLE,  # shut down, crashed, starting, dropped
    "58": Kind.UNAVAILABLE,  # the server's operating system failed it
}
"""Kinds by SQLSTATE, or by how it begins; the longest beginning counts. Any other is a fault."""


def kind_of(error: BaseException) -> Kind:
    """The kind of a failure. A soft time limit counts however deep it is wrapped, and when it broke a rollback as well."""
    if any(isinstance(each, SoftTimeLimitExceeded) for each in _chain(error)):
        return Kind.INTERRUPTED
    if isinstance(error, sa.exc.PendingRollbackError) and error.__context__ is not None:
        # The connection was lost before, and somebody went on to use it.
        return kind_of(error.__context__)
    if isinstance(error, sa.exc.TimeoutError):
        return Kind.UNAVAILABLE
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if (state := sqlstate(error)) is not None:
        known = (_KINDS[state[:length]] for length in range(5, 1, -1) if state[:length] in _KINDS)
        return next(known, Kind.UNAVAILABLE if lost else Kind.FAULT)
    # Without a SQLSTATE it is the driver that speaks: it cannot connect, or its connection broke.
    away: tuple[type[Exception], ...] = (sa.exc.OperationalError, sa.exc.InterfaceError)
    if (driver := sys.modules.get("psycopg")) is not None:  # a process that opens no connection need not load it
        away += (driver.OperationalError, driver.InterfaceError)
    return Kind.UNAVAILABLE if lost or isinstance(error, away) else Kind.FAULT


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of the driver's error, wrapped or not; None when there is none."""
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    return state if isinstance(state, str) else None


def reason(error: BaseException) -> str:
    """The first line of what the driver said, without the statement and its values."""
    said = str(error.orig if isinstance(error, DBAPIError) and error.orig is not None else error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and whatever it was raised from or during, each once."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [other for other in (each.__cause__, each.__context__, getattr(each, "orig", None)) if other]
