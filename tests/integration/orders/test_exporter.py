"""The conductor's exporter on a real database of the orders: its queries and its text."""

import re
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from conductor.capstones.orders.capstone import CAPSTONE
from conductor.exporter import Exporter


def told(url: str) -> str:
    registry = CollectorRegistry()
    registry.register(Exporter(CAPSTONE, url.replace("+psycopg", "")))
    return generate_latest(registry).decode()


def test_every_gauge_is_asked_of_the_database_as_it_is(make_shop: Callable[[], Any], wanted: dict[str, Any]) -> None:
    shop = make_shop()
    shop.placed(wanted)

    text = told(shop.settings.database_url)

    assert [] == [gauge.name for gauge in CAPSTONE.gauges if f"# TYPE {gauge.name} gauge" not in text]
    assert 'chassis_database_up{capstone="orders"} 1.0\n' in text
    assert 'orders_orders{capstone="orders",state="pending"} 1.0\n' in text
    assert 'orders_needing_attention{capstone="orders"} 0.0\n' in text
    assert 'chassis_outbox_due{capstone="orders",queue="orders.saga"} ' in text


def test_a_command_is_as_old_as_its_first_wish_however_often_it_was_published(
    make_shop: Callable[[], Any], wanted: dict[str, Any]
) -> None:
    shop = make_shop()
    shop.placed(wanted)
    # Published at once, and again after leases of 30 s and 60 s: the third, of 120 s, has 20 s to go.
    shop.run(
        "UPDATE outbox SET created_at = now() - interval '1 hour', issued = 3, due_at = clock_timestamp() + interval '20 seconds'"
    )

    text = told(shop.settings.database_url)
    waited = float(re.findall(r'oldest_due_seconds{capstone="orders",queue="orders.saga"} (\S+)', text)[0])

    assert 189 <= waited < 250
    assert "oldest_unpublished_seconds{" not in text
