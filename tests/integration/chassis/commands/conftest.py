"""A desk with an outbox on real PostgreSQL: put commands, look at their rows, run them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent))  # tests import `desk` by name

from desk import Desk

from chassis.tables import metadata
from servers import Postgres


@pytest.fixture(scope="session")
def outbox_url(postgres: Postgres) -> Iterator[str]:
    """The address of a database with the chassis' tables, made once; `desk` empties it for each test."""
    postgres.execute("CREATE DATABASE outbox_tests")
    url = postgres.url("outbox_tests")
    metadata.create_all(sa.create_engine(url, poolclass=sa.NullPool))
    yield url
    postgres.execute("DROP DATABASE outbox_tests WITH (FORCE)")


@pytest.fixture
def desk(outbox_url: str) -> Iterator[Desk]:
    """An empty outbox."""
    desk = Desk(outbox_url)
    desk.run("TRUNCATE outbox, parked, parked_audit RESTART IDENTITY")
    yield desk
    desk.engine.dispose()
