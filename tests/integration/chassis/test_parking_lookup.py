"""Whether something is parked already is known without reading all that is, in the database of each service."""

import pytest
import sqlalchemy as sa
from kombu.message import Message

from chassis.message_checks import Fault
from chassis.migrate import migrate, scripts_of
from chassis.parking import Parking, engine_for, park_entry, park_failure, park_message
from servers import wait_until

SERVICES = sorted(path.parts[-3] for path in scripts_of("orders.app").parents[2].glob("*/adapters/migrations"))
OTHERS = 10_000
FILL = """
    WITH made AS (
        INSERT INTO parked (queue, task, body, headers, reason)
        SELECT 'shop.till', 'shop.note', jsonb_build_object('n', n), jsonb_build_object('_delivery', n::text), 'bug'
        FROM generate_series(1, :others) n
        RETURNING id
    )
    INSERT INTO parked_audit (parked_id, actor, act, detail) SELECT id, 'worker', 'park', 'bug' FROM made
"""
MESSAGE = Message(
    b"not JSON", headers={"task": "shop.note", "id": "a"}, content_type="text/plain", content_encoding="utf-8"
)


def park_each(url: str) -> None:
    """One of each kind."""
    park_entry(url, b"no message", queue="shop.till")
    park_failure(url, queue="shop.till", task="shop.note", kwargs={"n": 0}, reason="bug", detail="it failed")
    park_message(url, MESSAGE, queue="shop.till", found=Fault("malformed", "it cannot be read"))


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_parked_twice_is_found_by_an_index_among_ten_thousand_others(database_url: str, service: str) -> None:
    migrate(database_url, scripts_of(f"{service}.app"))
    engine = engine_for(database_url)
    with engine.begin() as conn:
        conn.execute(sa.text(FILL), {"others": OTHERS})

    def scans(index: str) -> int:
        query = sa.text("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = :index")
        with engine.begin() as conn:
            return int(conn.execute(query, {"index": index}).scalar_one())

    for _ in range(2):
        park_each(database_url)
    with engine.begin() as conn:
        last = conn.execute(sa.text("SELECT parked_id FROM parked_audit ORDER BY id DESC LIMIT 1")).scalar_one()
        assert Parking("ann").show(conn, last) is not None

    # A session tells what it did when it ends.
    wait_until(lambda: scans("parked_body") >= 4, what="bodies that are looked for")
    wait_until(lambda: scans("parked_delivery") >= 2, what="deliveries that are looked for")
    wait_until(lambda: scans("parked_audit_record") >= 1, what="acts that are looked for")
    with engine.begin() as conn:
        query = sa.text("SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE relname LIKE 'parked%'")
        assert {"parked": 0, "parked_audit": 0} == {row.relname: row.seq_tup_read for row in conn.execute(query)}
        assert OTHERS + 3 == conn.execute(sa.text("SELECT count(*) FROM parked")).scalar_one()
