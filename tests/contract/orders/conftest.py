"""The worlds that every test of the order store runs in."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from order_worlds import MemoryWorld, PostgresWorld, World

from chassis.migrate import migrate, scripts_of
from orders.adapters import tables
from servers import Postgres

MIGRATIONS = scripts_of("orders.app")


@pytest.fixture(scope="session")
def orders_engine(postgres: Postgres) -> Iterator[sa.Engine]:
    """A database with the orders' tables, made once."""
    postgres.execute("CREATE DATABASE order_store")
    migrate(postgres.url("order_store"), MIGRATIONS)
    engine = sa.create_engine(postgres.url("order_store"), connect_args={"options": "-c lock_timeout=1000"})
    yield engine
    engine.dispose()


@pytest.fixture(params=["memory", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    """An empty world; the test runs once in each kind."""
    if request.param == "memory":
        return MemoryWorld()
    engine: sa.Engine = request.getfixturevalue("orders_engine")
    with engine.begin() as conn:
        every = ", ".join({*tables.metadata.tables, "outbox"})
        conn.execute(sa.text(f"TRUNCATE {every} RESTART IDENTITY CASCADE"))
    return PostgresWorld(engine)
