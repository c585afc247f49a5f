"""Alembic's entry: uses the connection that holds the lock."""

from alembic import context

from chassis import tables as chassis_tables
from trading.adapters import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[chassis_tables.metadata, tables.metadata],
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
