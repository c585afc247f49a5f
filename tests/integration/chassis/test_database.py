"""A connection that died is noticed before it is used, unless it worked a moment ago."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from chassis import database
from chassis.database import connect

pytestmark = pytest.mark.integration


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = connect(database_url, pool_size=1, overflow=0)
    yield made
    made.dispose()


def pid(engine: sa.Engine) -> int:
    with engine.connect() as conn:
        return int(conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())


def end(database_url: str, backend: int) -> None:
    other = sa.create_engine(database_url, poolclass=sa.NullPool)
    with other.begin() as conn:
        conn.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})


def test_a_connection_that_died_while_idle_is_replaced(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 0.0)
    before = pid(engine)
    end(database_url, before)

    assert pid(engine) != before


def test_a_connection_that_worked_a_moment_ago_is_not_tried(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 60.0)
    pid(engine)
    monkeypatch.setattr(engine.dialect, "do_ping", lambda _: pytest.fail("was tried"))

    assert pid(engine)


def test_one_that_died_a_moment_ago_fails_once_and_the_next_works(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 60.0)
    before = pid(engine)
    end(database_url, before)

    with pytest.raises(sa.exc.OperationalError) as error:
        pid(engine)

    assert (error.value.connection_invalidated, pid(engine) != before) == (True, True)


def test_a_statement_is_a_transaction_with_autocommit(database_url: str) -> None:
    eager = connect(database_url, autocommit=True, durable=False)
    with eager.connect() as conn:
        conn.execute(sa.text("CREATE TABLE kept (n int)"))
        waits = conn.execute(sa.text("SHOW synchronous_commit")).scalar_one()
    with eager.connect() as conn:
        kept = conn.execute(sa.text("SELECT count(*) FROM kept")).scalar_one()
    eager.dispose()

    assert (kept, waits) == (0, "off")
