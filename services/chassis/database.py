"""The connection to PostgreSQL as every process of a service opens it: bounded in time, few, and noticed when it dies."""

import sqlalchemy as sa


def connect(url: str, *, pool_size: int = 3, overflow: int = 5, statement_timeout_seconds: float = 30.0) -> sa.Engine:
    """An engine; nothing is opened until first used, so make it before the fork and use it after.

    A statement that runs longer than its time-out is ended by the server; a connection attempt is given 3 s.
    """
    return sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=overflow,
        pool_timeout=5.0,
        # A restart of the server leaves dead connections behind: trying one before use costs less than failing a batch.
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 3,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": f"-c statement_timeout={int(statement_timeout_seconds * 1000)} -c lock_timeout=10000",
        },
    )
