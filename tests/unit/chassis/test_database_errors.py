"""What kind of failure each exception of the database is."""

import psycopg
import pytest
import sqlalchemy as sa
from billiard.exceptions import SoftTimeLimitExceeded

from chassis.database_errors import Kind, kind_of, reason
from chassis.errors import Transient


def raised(error: Exception, *, lost: bool = False) -> sa.exc.DBAPIError:
    """As SQLAlchemy wraps an error of the driver."""
    wrapped = sa.exc.DBAPIError.instance("SELECT 1", {}, error, psycopg.Error, connection_invalidated=lost)
    assert isinstance(wrapped, sa.exc.DBAPIError)
    return wrapped


def by_state(state: str) -> Exception:
    return psycopg.errors.lookup(state)("said the server\nand more")


UNAVAILABLE = [
    *("08000", "08001", "08003", "08006", "08P01", "25006", "28000", "28P01", "3D000", "42501"),
    *("53000", "53100", "53200", "53300", "53400", "57P01", "57P02", "57P03", "57P04", "57P05", "58000", "58030"),
]
CONTENDED = ["25P03", "26000", "40001", "40003", "40P01", "42P05", "55006", "55P03", "57014"]
FAULT = ["0A000", "22001", "22P02", "23502", "23503", "23505", "25001", "25P02", "42601", "42703", "42P01", "XX000"]


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        *((state, Kind.UNAVAILABLE) for state in UNAVAILABLE),
        *((state, Kind.CONTENDED) for state in CONTENDED),
        *((state, Kind.FAULT) for state in FAULT),
    ],
)
def test_a_sqlstate_has_one_kind_however_it_arrives(state: str, kind: Kind) -> None:
    assert (kind, kind) == (kind_of(by_state(state)), kind_of(raised(by_state(state))))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.OperationalError("connection refused"), Kind.UNAVAILABLE),
        (psycopg.InterfaceError("the connection is closed"), Kind.UNAVAILABLE),
        (psycopg.ProgrammingError("the query has 0 placeholders"), Kind.FAULT),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), Kind.FAULT),
    ],
)
def test_the_driver_says_without_a_sqlstate_that_it_has_no_connection(error: Exception, kind: Kind) -> None:
    assert (kind, kind) == (kind_of(error), kind_of(raised(error)))


@pytest.mark.parametrize("error", [psycopg.DatabaseError("server closed the connection"), by_state("XX000")])
def test_whatever_ended_the_connection_is_no_fault_of_the_statement(error: Exception) -> None:
    assert Kind.UNAVAILABLE == kind_of(raised(error, lost=True))


def test_a_pool_without_a_free_connection_is_unavailable() -> None:
    assert Kind.UNAVAILABLE == kind_of(sa.exc.TimeoutError("QueuePool limit"))


@pytest.mark.parametrize("error", [ZeroDivisionError(), Transient("busy"), sa.exc.ArgumentError("no such column")])
def test_what_is_not_the_databases_is_a_fault(error: Exception) -> None:
    assert Kind.FAULT == kind_of(error)


def test_a_soft_time_limit_is_seen_through_its_wrapping() -> None:
    wrapped = sa.exc.StatementError("wrapped", "SELECT 1", {}, SoftTimeLimitExceeded())

    assert (Kind.INTERRUPTED, Kind.INTERRUPTED) == (kind_of(SoftTimeLimitExceeded()), kind_of(wrapped))


def test_a_soft_time_limit_is_seen_behind_the_rollback_that_it_broke() -> None:
    broken = raised(psycopg.OperationalError("another command is already in progress"))
    broken.__context__ = SoftTimeLimitExceeded()

    assert Kind.INTERRUPTED == kind_of(broken)


def test_using_a_connection_after_it_was_lost_is_still_the_loss() -> None:
    used_again = sa.exc.PendingRollbackError("Can't reconnect until invalid transaction is rolled back")
    used_again.__context__ = raised(by_state("57P01"), lost=True)

    assert Kind.UNAVAILABLE == kind_of(used_again)


def test_the_reason_is_one_line_without_the_statement() -> None:
    assert ("said the server", "OperationalError") == (
        reason(raised(by_state("57P03"))),
        reason(psycopg.OperationalError()),
    )
