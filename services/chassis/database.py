"""The connection to PostgreSQL as every process of a service opens it: bounded in time, few, and noticed when it dies."""

import time
from typing import Any

import sqlalchemy as sa

TRUSTED_SECONDS = 1.0
"""A connection that worked so short a time ago is used without trying it first, which would double the cost of a small statement."""


def connect(
    url: str,
    *,
    pool_size: int = 3,
    overflow: int = 5,
    statement_timeout_seconds: float = 30.0,
    autocommit: bool = False,
    durable: bool = True,
) -> sa.Engine:
    """An engine; nothing is opened until first used, so make it before the fork and use it after.

    A statement that runs longer than its time-out is ended by the server; a connection attempt is given 3 s. With `autocommit` a
    statement is a transaction, in one round trip; without `durable` a commit does not wait for the disk, so a crash of the database
    server (never of ours) may forget what was committed in the last second.
    """
    options = f"-c statement_timeout={int(statement_timeout_seconds * 1000)} -c lock_timeout=10000"
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=overflow,
        pool_timeout=5.0,
        isolation_level="AUTOCOMMIT" if autocommit else None,
        connect_args={
            "connect_timeout": 3,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": options if durable else f"{options} -c synchronous_commit=off",
        },
    )
    _try_before_use(engine)
    return engine


def _try_before_use(engine: sa.Engine) -> None:
    """A restart of the server leaves dead connections behind: trying one that was idle costs less than failing a batch."""

    def put_back(_: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    def taken_out(connection: Any, record: Any, _: Any) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None or time.monotonic() - idle_since < TRUSTED_SECONDS:
            return
        dialect = engine.dialect
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            if not dialect.is_disconnect(error, connection, None):
                raise
            raise sa.exc.DisconnectionError("the connection was lost while it was idle") from error

    sa.event.listen(engine, "checkin", put_back)
    sa.event.listen(engine, "checkout", taken_out)
