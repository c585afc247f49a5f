"""Retention: what is old goes, in batches; what is young or still needed stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.adapters.pruning import PostgresPruning
from orders.usecases.prune import prune

Shop = Any
NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=30)


def run(shop: Shop, **options: int) -> dict[str, int]:
    return prune(PostgresPruning(shop.engine), BEFORE, **options)


def age(shop: Shop, table: str, column: str, days: int = 31) -> None:
    shop.run(f"UPDATE {table} SET {column} = :at", at=NOW - timedelta(days=days))


def count(shop: Shop, table: str) -> int:
    return len(shop.rows(f"SELECT 1 FROM {table}"))


@pytest.fixture
def old(shop: Shop, wanted: dict[str, Any]) -> str:
    """An order that was delivered 31 days ago."""
    order_id: str = shop.placed(wanted)
    shop.run("INSERT INTO labels VALUES (CAST(:id AS uuid), 'T1', '%PDF')", id=order_id)
    shop.run("UPDATE orders SET state = 'delivered'")
    age(shop, "orders", "updated_at")
    age(shop, "timeline", "at")
    age(shop, "intake_keys", "created_at")
    return order_id


def test_old_keys_timelines_and_labels_go_and_the_order_stays(shop: Shop, old: str) -> None:
    run(shop)

    tables = ("intake_keys", "timeline", "labels", "orders", "order_lines")
    assert [count(shop, table) for table in tables] == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("state", ["pending", "paid", "shipped"])
def test_the_timeline_of_an_open_order_stays_however_old(shop: Shop, old: str, state: str) -> None:
    shop.run("UPDATE orders SET state = :state", state=state)
    run(shop)

    assert (count(shop, "timeline"), count(shop, "labels")) == (1, 1)


def test_the_timeline_of_an_order_that_ended_lately_stays(shop: Shop, old: str) -> None:
    age(shop, "orders", "updated_at", days=29)
    run(shop)

    assert (count(shop, "timeline"), count(shop, "labels")) == (1, 1)


def test_young_keys_stay(shop: Shop, old: str) -> None:
    age(shop, "intake_keys", "created_at", days=29)
    run(shop)

    assert count(shop, "intake_keys") == 1


@pytest.mark.parametrize(("days", "left"), [(31, 0), (29, 1)])
def test_only_old_callbacks_go(shop: Shop, days: int, left: int) -> None:
    shop.run("INSERT INTO carrier_events (event_id, tracking_number, kind, at) VALUES ('e', 't', 'delivered', now())")
    age(shop, "carrier_events", "received_at", days)
    run(shop)

    assert count(shop, "carrier_events") == left


@pytest.mark.parametrize(
    ("status", "days", "left"), [("replayed", 31, 0), ("dropped", 31, 0), ("parked", 31, 1), ("dropped", 29, 1)]
)
def test_only_closed_old_parked_records_go_with_their_audit(shop: Shop, status: str, days: int, left: int) -> None:
    shop.run(
        "INSERT INTO parked (queue, task, body, reason, status) VALUES ('q', 't', '{}', 'bug', :status)", status=status
    )
    shop.run("INSERT INTO parked_audit (parked_id, actor, act) SELECT id, 'ann', 'drop' FROM parked")
    age(shop, "parked", "updated_at", days)
    run(shop)

    assert (count(shop, "parked"), count(shop, "parked_audit")) == (left, left)


def test_a_run_goes_on_until_nothing_old_is_left(shop: Shop, old: str) -> None:
    shop.run(
        "INSERT INTO timeline (order_id, at, kind) SELECT CAST(:id AS uuid), :at, 'x' FROM generate_series(1, 25)",
        id=old,
        at=NOW - timedelta(days=31),
    )

    assert run(shop, batch=10)["timelines"] == 26


def test_a_run_ends_after_its_share(shop: Shop, old: str) -> None:
    shop.run(
        "INSERT INTO timeline (order_id, at, kind) SELECT CAST(:id AS uuid), :at, 'x' FROM generate_series(1, 25)",
        id=old,
        at=NOW - timedelta(days=31),
    )

    assert run(shop, batch=10, most_batches=2)["timelines"] == 20
