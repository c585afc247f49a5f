"""Deletes old rows in PostgreSQL, a batch a transaction; see orders.ports.Archive. Rows that somebody holds are left for the next time."""

from datetime import datetime

import sqlalchemy as sa

from orders.adapters.store import NOW

_KEYS = sa.text("""
    DELETE FROM intake_keys WHERE (customer, key) IN (
        SELECT customer, key FROM intake_keys WHERE created_at < :before ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
""")

_CALLBACKS = sa.text("""
    DELETE FROM carrier_events WHERE event_id IN (
        SELECT event_id FROM carrier_events WHERE received_at < :before ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
""")

# A label goes with the lines of its order: both belong to orders that ended, and every order has lines.
_TIMELINES = sa.text("""
    WITH old AS MATERIALIZED (
        SELECT t.id, t.order_id FROM timeline t JOIN orders o ON o.id = t.order_id
        WHERE t.at < :before AND o.updated_at < :before AND o.state IN ('delivered', 'cancelled', 'failed')
        LIMIT :limit FOR UPDATE OF t SKIP LOCKED
    ), labels_gone AS (
        DELETE FROM labels WHERE order_id IN (SELECT order_id FROM old)
    )
    DELETE FROM timeline WHERE id IN (SELECT id FROM old)
""")

_PARKED = sa.text("""
    WITH old AS MATERIALIZED (
        SELECT id FROM parked WHERE status <> 'parked' AND updated_at < :before LIMIT :limit FOR UPDATE SKIP LOCKED
    ), audit_gone AS (
        DELETE FROM parked_audit WHERE parked_id IN (SELECT id FROM old)
    )
    DELETE FROM parked WHERE id IN (SELECT id FROM old)
""")


class PostgresPruning:
    """Deletes on an engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def now(self) -> datetime:
        with self._engine.begin() as conn:
            moment: datetime = conn.execute(NOW).scalar_one()
        return moment

    def prune_keys(self, before: datetime, limit: int) -> int:
        return self._delete(_KEYS, before, limit)

    def prune_callbacks(self, before: datetime, limit: int) -> int:
        return self._delete(_CALLBACKS, before, limit)

    def prune_timelines(self, before: datetime, limit: int) -> int:
        return self._delete(_TIMELINES, before, limit)

    def prune_parked(self, before: datetime, limit: int) -> int:
        return self._delete(_PARKED, before, limit)

    def _delete(self, statement: sa.TextClause, before: datetime, limit: int) -> int:
        with self._engine.begin() as conn:
            return conn.execute(statement, {"before": before, "limit": limit}).rowcount
