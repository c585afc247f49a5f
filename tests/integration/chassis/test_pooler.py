"""Behind PgBouncer in transaction mode: nothing is left in a session that others use, and nothing is looked for there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from chassis import database, outbox
from chassis.migrate import migrate, scripts_of
from chassis.outbox import Command, Done
from chassis.parking import Choice, Parking, engine_for
from chassis.work import Runner
from servers import PgBouncer

SETTINGS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")


@pytest.fixture
def pooled_url(pgbouncer: PgBouncer, database_url: str) -> str:
    """A migrated database's address at the pooler; it was migrated through it."""
    url = pgbouncer.url(database_url.rpartition("/")[2])
    migrate(url, scripts_of("orders.app"))
    return url


@pytest.fixture
def engine(pooled_url: str) -> Iterator[sa.Engine]:
    made = database.connect(pooled_url, pooler=True, pool_size=8, statement_timeout_seconds=7.0, durable=False)
    yield made
    made.dispose()


def shown(conn: sa.Connection) -> list[str]:
    return [str(conn.execute(sa.text(f"SHOW {name}")).scalar_one()) for name in SETTINGS]


def test_a_transaction_has_its_limits_and_the_session_keeps_none(engine: sa.Engine, database_url: str) -> None:
    with engine.begin() as conn:
        inside = shown(conn)
        own = conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    plain = sa.create_engine(engine.url, connect_args={"prepare_threshold": None})
    with plain.connect() as conn:
        conn.execute(sa.text("SELECT 1"))
        pids = {conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()}
        outside = shown(conn)
    plain.dispose()

    assert ["7s", "10s", "0", "off"] == inside
    assert ({own}, ["0", "0", "0", "on"]) == (pids, outside)


def test_a_statement_is_bounded_in_time(pooled_url: str) -> None:
    hasty = database.connect(pooled_url, pooler=True, statement_timeout_seconds=0.05)
    with pytest.raises(sa.exc.OperationalError, match="statement timeout"), hasty.begin() as conn:
        conn.execute(sa.text("SELECT pg_sleep(20)"))
    hasty.dispose()


def test_a_single_statement_is_committed(engine: sa.Engine) -> None:
    with database.single_statements(engine).begin() as conn:
        outbox.put(conn, [Command("a", "shop.count", "shop.till", {})])
    with engine.begin() as conn:
        assert ["a"] == list(conn.execute(sa.text("SELECT key FROM outbox")).scalars())


def test_many_clients_run_commands_over_few_connections(engine: sa.Engine) -> None:
    runner = Runner(engine)
    done: list[str] = []

    def effect(_: sa.Connection, works: list[outbox.Work]) -> dict[int, Done]:
        done.extend(work.key for work in works)
        return {work.id: Done() for work in works}

    def client(number: int) -> int:
        ended = 0
        for n in range(12):
            key = f"{number}-{n}"
            with engine.begin() as conn:
                outbox.put(conn, [Command(key, "shop.count", "shop.till", {"n": n})])
            issued = sa.text("UPDATE outbox SET issued = 1 WHERE key = :key RETURNING id")
            with engine.begin() as conn:
                ids = list(conn.execute(issued, {"key": key}).scalars())
            ended += runner.run(ids, effect)
        return ended

    with ThreadPoolExecutor(8) as clients:
        assert 96 == sum(clients.map(client, range(8)))

    assert sorted(f"{number}-{n}" for number in range(8) for n in range(12)) == sorted(done)


def test_no_statement_is_prepared_however_often_it_runs(engine: sa.Engine) -> None:
    with engine.begin() as conn:
        for n in range(20):
            conn.execute(sa.text("SELECT CAST(:n AS int)"), {"n": n})
        prepared = conn.execute(sa.text("SELECT count(*) FROM pg_prepared_statements")).scalar_one()

    assert 0 == prepared


def test_the_migration_leaves_nothing_behind(pooled_url: str, database_url: str) -> None:
    migrate(pooled_url, scripts_of("orders.app"))
    direct = sa.create_engine(database_url, poolclass=sa.NullPool)
    with direct.connect() as conn:
        locks = conn.execute(sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).scalar_one()

    assert 0 == locks


def test_what_cannot_be_run_is_parked(pooled_url: str) -> None:
    with engine_for(pooled_url).begin() as conn:
        Parking("worker").park(conn, queue="shop.till", task="t", body={}, reason="bug", headers={"id": "1"})
    with engine_for(pooled_url).begin() as conn:
        assert [("t", "bug")] == [(record.task, record.reason) for record in Parking("ann").list(conn, Choice())]


def test_a_pooler_that_restarts_costs_a_wait(engine: sa.Engine, pgbouncer: PgBouncer) -> None:
    with database.single_statements(engine).begin() as conn:
        outbox.put(conn, [Command("a", "shop.count", "shop.till", {})])
    with engine.begin() as conn:
        ids = list(conn.execute(sa.text("UPDATE outbox SET issued = 1 RETURNING id")).scalars())

    def restart(conn: sa.Connection, works: list[outbox.Work]) -> dict[int, Done]:
        pgbouncer.kill()
        pgbouncer.start()
        conn.execute(sa.text("SELECT 1"))
        return {}

    assert 1 == Runner(engine).run(ids, restart)
    with engine.begin() as conn:
        assert [("open", 0)] == [tuple(row) for row in conn.execute(sa.text("SELECT state, attempts FROM outbox"))]
