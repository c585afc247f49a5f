"""The connection to PostgreSQL as every process of a service opens it: bounded in time, few, and noticed when it dies.

What a role, a database or a server sets by itself (`ALTER ROLE … SET`) changes nothing that the code relies on: time-outs, date style and
isolation are set here. `search_path` and `default_transaction_read_only` stay the administrator's.
"""

import select
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import sqlalchemy as sa
from billiard.exceptions import SoftTimeLimitExceeded

from chassis import clock
from chassis.database_errors import READ_ONLY, Kind, kind_of, reason, sqlstate
from chassis.loggers import get_logger

log = get_logger(__name__)

TRUSTED_SECONDS = 1.0
"""A connection that worked so short a time ago is used without trying it first, which would double the cost of a small statement."""

CONNECT_SECONDS = 3
"""How long one attempt to connect may take."""

LOCK_SECONDS = 10.0
"""How long a statement waits for a lock."""

CANCEL_SECONDS = 2.0
"""How long the server may take to end a statement whose task was interrupted; then its connection is given up."""

UNANSWERED_MS = 20_000
"""How long either side waits for the other's kernel to acknowledge what it sent."""

_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""Seconds of silence before either side asks whether the other is there, seconds between the questions, and how many go unanswered."""

_PROBE_SECONDS = (0.1, 1.0)
"""The first and the longest pause between two tries while the database is unavailable."""

_POOLED = "transaction_pooler"

T = TypeVar("T")


def connect(
    url: str,
    *,
    pool_size: int = 3,
    overflow: int = 5,
    statement_timeout_seconds: float = 30.0,
    autocommit: bool = False,
    durable: bool = True,
    pooler: bool = False,
) -> sa.Engine:
    """An engine; nothing is opened until first used, so make it before the fork and use it after. `pool_size` 0 keeps no connection.

    A statement that runs longer than its time-out is ended by the server; a connection attempt is given 3 s. With `autocommit` a
    statement is a transaction, in one round trip; without `durable` a commit does not wait for the disk, so a crash of the database
    server (never of ours) may forget what was committed in the last second. `pooler` says that a pooler in transaction mode stands in
    between (PgBouncer): a session then belongs to nobody, so the settings go with every transaction, which costs a round trip, and a
    single statement is a transaction of its own.
    """
    session = {
        "statement_timeout": str(int(statement_timeout_seconds * 1000)),
        "lock_timeout": str(int(LOCK_SECONDS * 1000)),
        # Rows are held while the outside is waited for; the task's hard time limit bounds it.
        "idle_in_transaction_session_timeout": "0",
        **({} if durable else {"synchronous_commit": "off"}),
    }
    # A client whose machine loses its power closes nothing: the server would keep its session, and the rows it holds, for the two hours
    # that Linux waits before it asks whether anybody is there. Behind a pooler the session's client is the pooler.
    vanished = {
        "tcp_user_timeout": str(UNANSWERED_MS),
        **{f"tcp_{name}": str(one) for name, one in _KEEPALIVES.items()},
    }
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": overflow, "pool_timeout": 5.0}
    engine = sa.create_engine(
        url,
        # An error's text would repeat what was to be written: a customer's address.
        hide_parameters=True,
        isolation_level="AUTOCOMMIT" if autocommit and not pooler else "READ COMMITTED",
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            **_KEEPALIVES,
            # A host that vanished with a statement on its way answers no keepalive either; the kernel would try for 15 minutes.
            "tcp_user_timeout": UNANSWERED_MS,
            "client_encoding": "utf8",
            # A statement that was prepared on one server connection of a pooler is run on another, or is another client's.
            "prepare_threshold": None,
            **({} if pooler else {"options": _options({**session, **vanished})}),
        },
        execution_options={_POOLED: pooler},
        use_native_hstore=False,  # no column is one, and asking for the type costs every new connection a round trip
        **(pool if pool_size else {"poolclass": sa.NullPool}),
    )
    if pooler:
        _set_in_every_transaction(engine, session)
    _end_what_was_interrupted(engine)
    _try_before_use(engine)
    return engine


def single_statements(engine: sa.Engine) -> sa.Engine:
    """The same engine for transactions of one statement: `begin()` costs no round trip, except behind a pooler."""
    if engine.get_execution_options().get(_POOLED):
        return engine
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def persist(act: Callable[[], T], *, patience_seconds: float) -> T:
    """The result of `act`, a transaction that may run twice, tried again while the database is unavailable or contended.

    Raises what `act` raised last once `patience_seconds` are over, and at once whatever a later try would not mend.
    """
    until = time.monotonic() + patience_seconds
    pause, longest = _PROBE_SECONDS
    waited = False
    while True:
        try:
            result = act()
        except Exception as error:
            kind = kind_of(error)
            if kind not in (Kind.UNAVAILABLE, Kind.CONTENDED) or time.monotonic() >= until:
                raise
            if not waited:
                log.warning("database_waited_for", kind=kind, error=reason(error))
            waited = True
            time.sleep(pause)
            pause = min(2 * pause, longest)
        else:
            if waited:
                log.info("database_back")
            return result


def _options(session: Mapping[str, str]) -> str:
    """Settings of the whole session, for the start-up packet."""
    fixed = {"DateStyle": "ISO", "TimeZone": "UTC", "default_transaction_isolation": r"read\ committed"}
    return " ".join(f"-c {name}={value}" for name, value in {**fixed, **session}.items())


def _set_in_every_transaction(engine: sa.Engine, session: Mapping[str, str]) -> None:
    local = "; ".join(f"SET LOCAL {name} TO {value}" for name, value in session.items())

    def opened(connection: Any, _: Any) -> None:
        # The two that PgBouncer keeps for each client; both decide how the driver reads times.
        with connection.cursor() as cursor:
            cursor.execute("SET DateStyle TO 'ISO'; SET TimeZone TO 'UTC'")
        connection.commit()

    sa.event.listen(engine, "connect", opened)
    sa.event.listen(engine, "begin", lambda conn: conn.exec_driver_sql(local))


def _end_what_was_interrupted(engine: sa.Engine) -> None:
    """A soft time limit leaves a statement running, and a rollback behind it would fail and hide the reason: end the statement first.

    A server that only reads has perhaps been replaced: its connections are not used again, so that the next one leads to the new server.
    """

    def failed(context: Any) -> None:
        if sqlstate(context.original_exception) == READ_ONLY:
            context.is_disconnect, context.invalidate_pool_on_disconnect = True, False
        elif isinstance(context.original_exception, SoftTimeLimitExceeded) and context.connection is not None:
            with suppress(sa.exc.SQLAlchemyError):
                if not _ended(context.connection.connection.dbapi_connection):
                    context.is_disconnect, context.invalidate_pool_on_disconnect = True, False

    sa.event.listen(engine, "handle_error", failed)


def _ended(connection: Any) -> bool:
    """Cancel what runs on a driver's connection, and read it to its end; whether that was reached in time."""
    from psycopg.pq import TransactionStatus  # loaded with the first connection

    low = connection.pgconn
    if connection.closed or low.transaction_status != TransactionStatus.ACTIVE:
        return True
    until = time.monotonic() + CANCEL_SECONDS
    try:
        connection.cancel_safe(timeout=CANCEL_SECONDS)
        while True:
            while low.is_busy():
                if not select.select([low.socket], [], [], max(0.0, until - time.monotonic()))[0]:
                    return False
                low.consume_input()
            if low.get_result() is None:
                return True
    except Exception:  # noqa: BLE001 - whatever goes wrong here, the connection is given up
        return False


def _try_before_use(engine: sa.Engine) -> None:
    """A restart of the server leaves dead connections behind: trying one that was idle costs less than failing a batch.

    Once in a while the clocks are compared on the way; see chassis.clock.
    """

    def put_back(_: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    def taken_out(connection: Any, record: Any, _: Any) -> None:
        idle_since, compares = record.info.get("idle_since"), clock.is_due()
        if not compares and (idle_since is None or time.monotonic() - idle_since < TRUSTED_SECONDS):
            return
        dialect = engine.dialect
        try:
            if compares:
                with connection.cursor() as cursor:
                    clock.compare(cursor)
                connection.rollback()
            else:
                dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            if not dialect.is_disconnect(error, connection, None):
                raise
            raise sa.exc.DisconnectionError("the connection was lost while it was idle") from error

    sa.event.listen(engine, "checkin", put_back)
    sa.event.listen(engine, "checkout", taken_out)
