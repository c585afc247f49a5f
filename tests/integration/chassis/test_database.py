"""A connection that died is noticed before it is used, unless it worked a moment ago."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from chassis import database
from chassis.database import connect, single_statements
from chassis.migrate import migrate, scripts_of
from servers import PASSWORD, Postgres

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


def test_the_server_ends_the_session_of_a_machine_that_vanished(engine: sa.Engine) -> None:
    wanted = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
    with engine.connect() as conn:
        read = sa.text("SELECT name, setting::int FROM pg_settings WHERE name LIKE 'tcp_%'")
        shown = {str(name): int(value) for name, value in conn.execute(read)}

    assert {**wanted, "tcp_user_timeout": 20_000} == shown


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


ROLE_SETTINGS = {
    "datestyle": "'SQL, DMY'",
    "timezone": "'Asia/Kathmandu'",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "client_encoding": "latin1",
    "default_transaction_isolation": "serializable",
    "statement_timeout": "'300ms'",
    "lock_timeout": "'300ms'",
    "idle_in_transaction_session_timeout": "'300ms'",
    "search_path": "of_the_administrator",
}
"""What an administrator may have set for the role."""


@pytest.fixture
def particular_role(postgres: Postgres, database_url: str) -> Iterator[str]:
    """The address of a database for a role with settings of its own."""
    name = database_url.rpartition("/")[2]
    postgres.execute(f"CREATE ROLE particular LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    postgres.execute("CREATE SCHEMA of_the_administrator AUTHORIZATION particular", name)
    for setting, value in ROLE_SETTINGS.items():
        postgres.execute(f"ALTER ROLE particular SET {setting} TO {value}")
    yield postgres.url(name).replace("tester", "particular")
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
    postgres.execute("DROP ROLE particular")


@pytest.mark.parametrize("pooler", [False, True])
def test_settings_of_a_role_change_nothing(particular_role: str, pooler: bool) -> None:
    migrate(particular_role, scripts_of("orders.app"))
    at = datetime(2026, 2, 3, 4, 5, 6, 789, UTC)
    engine = connect(particular_role, pooler=pooler)
    asked = "SELECT CAST(:at AS timestamptz), CAST(:name AS text), CAST(:raw AS bytea), pg_sleep(0.4), 'a\\b'"
    with engine.begin() as conn:
        read = list(conn.execute(sa.text(asked), {"at": at, "name": "Łódź 東京", "raw": b"\x00\\"}).one())
        isolation = conn.execute(sa.text("SHOW transaction_isolation")).scalar_one()
        time.sleep(0.4)  # longer than a transaction of this role may be idle
        tables = conn.execute(sa.text("SELECT count(*) FROM outbox")).scalar_one()
    engine.dispose()

    assert [at, "Łódź 東京", b"\x00\\"] == read[:3]
    assert ("read committed", 0) == (isolation, tables)


def test_a_single_statement_of_a_particular_role_is_read_committed(particular_role: str) -> None:
    engine = connect(particular_role)
    with single_statements(engine).begin() as conn:
        assert "read committed" == conn.execute(sa.text("SHOW transaction_isolation")).scalar_one()
    engine.dispose()
