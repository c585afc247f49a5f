"""Migrations: safe to repeat, safe twice at once, and never a queue of readers behind them."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from chassis import tables as chassis_tables
from chassis.migrate import main, migrate, scripts_of
from orders.adapters import tables

MIGRATIONS = scripts_of("orders.app")
SERVICES = sorted(path.parts[-3] for path in MIGRATIONS.parents[2].glob("*/adapters/migrations"))

SLOW = """
import time
from alembic import op
revision = "0001"
down_revision = None

def upgrade():
    op.execute("CREATE TABLE made (n int)")
    op.execute("SELECT pg_sleep(0.5)")
"""
ALTER = """
from alembic import op
revision: str = "0002"
down_revision: str | None = "0001"

def upgrade():
    op.execute("ALTER TABLE made ADD COLUMN m int")
"""
ENV = """
from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Two migrations of our own, in a path that Alembic's configuration would misread."""
    folder = tmp_path / "100%s of them"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENV)
    (folder / "versions/0001_made.py").write_text(SLOW)
    (folder / "versions/0002_more.py").write_text(ALTER)
    return folder


def look(url: str, query: str) -> list[object]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as conn:
        return list(conn.execute(sa.text(query)).scalars())


def test_the_migrations_make_every_table_that_the_code_knows(database_url: str) -> None:
    migrate(database_url, MIGRATIONS)

    made = look(database_url, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
    assert {*chassis_tables.metadata.tables, *tables.metadata.tables, "alembic_version"} == {*made}


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_the_chassis_tables_as_the_chassis_knows_them(database_url: str, service: str) -> None:
    migrate(database_url, scripts_of(f"{service}.app"))
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)

    with engine.connect() as conn:
        seen = sa.inspect(conn)
        columns = {name: {one["name"] for one in each} for (_, name), each in seen.get_multi_columns().items()}
        indexes = {name: {one["name"] for one in each} for (_, name), each in seen.get_multi_indexes().items()}

    for name, table in chassis_tables.metadata.tables.items():
        assert set(table.columns.keys()) == columns[name]
        assert {index.name for index in table.indexes} <= indexes[name]


def test_migrating_again_changes_nothing(database_url: str, scripts: Path) -> None:
    for _ in range(2):
        migrate(database_url, scripts)

    assert ["0002"] == look(database_url, "SELECT version_num FROM alembic_version")


def test_of_two_at_once_one_waits_and_finds_nothing_to_do(database_url: str, scripts: Path) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(database_url, scripts)
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [] == failures
    assert ["0002"] == look(database_url, "SELECT version_num FROM alembic_version")


def test_a_migration_gives_up_on_a_table_in_use_rather_than_queue_before_its_readers(
    database_url: str, scripts: Path
) -> None:
    migrate(database_url, scripts, revision="0001")
    with sa.create_engine(database_url, poolclass=sa.NullPool).begin() as reader:
        reader.execute(sa.text("SELECT * FROM made"))
        since = time.monotonic()

        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            migrate(database_url, scripts)

    assert 4 < time.monotonic() - since < 30
    assert ["0001"] == look(database_url, "SELECT version_num FROM alembic_version")


def test_a_database_that_a_newer_version_has_migrated_is_left_alone(database_url: str, scripts: Path) -> None:
    migrate(database_url, scripts)
    (scripts / "versions/0002_more.py").unlink()

    migrate(database_url, scripts)

    assert ["0002"] == look(database_url, "SELECT version_num FROM alembic_version")


def test_what_failed_leaves_no_lock_behind(database_url: str, scripts: Path) -> None:
    (scripts / "versions/0002_more.py").write_text(ALTER.replace("made", "missing"))
    with pytest.raises(sa.exc.ProgrammingError):
        migrate(database_url, scripts)
    (scripts / "versions/0002_more.py").write_text(ALTER)

    migrate(database_url, scripts)

    assert [] == look(database_url, "SELECT objid::int FROM pg_locks WHERE locktype = 'advisory'")


def test_a_service_is_migrated_by_the_name_of_its_app(database_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": database_url, "BROKER_URL": "redis://127.0.0.1:1/0"}

    subprocess.run([sys.executable, "-m", "chassis.migrate", "orders.app"], env=environment, check=True, timeout=60)

    assert [0] == look(database_url, "SELECT count(*) FROM orders")


QUICK = """
import sys
from chassis.migrate import main

main(["migrate", "orders.app"])
print(*({"alembic", "sqlalchemy", "pydantic", "orders.app", "celery"} & set(sys.modules)))
"""


@pytest.mark.parametrize("further", [None, "UPDATE alembic_version SET version_num = '9999'"])
def test_that_there_is_nothing_to_do_is_found_out_without_a_heavy_import(
    database_url: str, further: str | None
) -> None:
    migrate(database_url, MIGRATIONS)
    if further:
        with sa.create_engine(database_url, poolclass=sa.NullPool).begin() as conn:
            conn.execute(sa.text(further))
    environment = {**os.environ, "DATABASE_URL": database_url}

    ran = subprocess.run(
        [sys.executable, "-c", QUICK], env=environment, check=True, timeout=60, capture_output=True, text=True
    )

    assert "" == ran.stdout.splitlines()[-1].strip()


@pytest.mark.parametrize("url", ["", "mysql://nobody@nowhere/none"])
def test_an_address_that_cannot_be_one_is_refused_by_its_setting(url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url, "BROKER_URL": "redis://127.0.0.1:1/0"}

    ran = subprocess.run(
        [sys.executable, "-m", "chassis.migrate", "orders.app"],
        env=environment,
        timeout=60,
        capture_output=True,
        text=True,
    )

    assert 1 == ran.returncode
    assert "BadSetting: DATABASE_URL" in ran.stderr


def test_the_command_line_names_the_service(
    monkeypatch: pytest.MonkeyPatch, database_url: str, scripts: Path, tmp_path: Path
) -> None:
    service = tmp_path / "till"
    (service / "adapters").mkdir(parents=True)
    (service / "app.py").write_text("raise RuntimeError('imported')")
    scripts.rename(service / "adapters" / "migrations")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)

    assert 0 == main(["migrate", "till.app"])
    assert ["0002"] == look(database_url, "SELECT version_num FROM alembic_version")
