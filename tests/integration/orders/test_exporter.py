"""The conductor's exporter on a real database of the orders: its queries and its text."""

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

    assert [] == [gauge.name for gauge in CAPSTONE.gauges if f"# TYPE orders_{gauge.name} gauge" not in text]
    assert "orders_database_up 1.0\n" in text
    assert 'orders_orders{state="pending"} 1.0\n' in text
    assert "orders_needing_attention 0.0\n" in text
    assert 'orders_commands_due{queue="orders.saga"} ' in text
