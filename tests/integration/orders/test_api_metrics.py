"""What the API counts of itself, and where that is shown."""

import os
import uuid
from typing import Any

import httpx
import pytest

from served_orders import serving

Shop = Any

BOMBS = int(os.environ.get("BOMBS", "40"))
"""Of each kind; 100,000 is all."""
MOST_SERIES = 50

pytestmark = pytest.mark.timeout(300 + BOMBS / 5)


def test_requests_are_counted_by_route_and_status_never_by_id(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    client = shop.client("ann-token")
    client.get(f"/orders/{order_id}")
    text = shop.metrics()

    line = 'orders_http_requests_total{method="GET",route="/orders/{order_id}",status="200"} 1.0'
    assert (line in text, order_id in text) == (True, False)


def test_requests_to_nowhere_share_one_series(shop: Shop) -> None:
    client = shop.client()
    client.get("/a"), client.get("/b")

    assert 'requests_total{method="GET",route="unknown",status="404"} 2.0' in shop.metrics()


def test_invented_methods_share_one_series(shop: Shop) -> None:
    client = shop.client()
    client.request("BREW", "/a"), client.request("STEEP", "/a")

    assert 'requests_total{method="other",route="unknown",status="404"} 2.0' in shop.metrics()


def test_no_name_that_a_stranger_makes_up_makes_a_series(shop: Shop, wanted: dict[str, Any]) -> None:
    client = shop.client("ann-token")

    def series() -> int:
        return sum(not line.startswith("#") for line in shop.metrics().splitlines())

    def throw(number: int) -> None:
        made_up = f"{uuid.uuid4()}"
        client.get(f"/{made_up}")
        client.request(f"M{number}", f"/orders/{made_up}")
        client.get(f"/orders/{made_up}", params={made_up: made_up}, headers={made_up: made_up})
        client.post(f"/orders/{made_up}/cancel", headers={"traceparent": f"00-{uuid.uuid4().hex}-{number + 1:016x}-01"})
        client.post("/orders", json={made_up: made_up}, headers={"Idempotency-Key": made_up, "traceparent": made_up})
        client.post(f"/callbacks/{made_up}", content=made_up, headers={"Content-Type": made_up})

    throw(0)
    before = series()
    for number in range(1, BOMBS):
        throw(number)

    assert series() - before <= MOST_SERIES


def test_the_difference_from_the_databases_clock_is_shown(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    with serving(shop.settings) as server:
        headers = {"Authorization": "Bearer ann-token"}
        answer = httpx.get(f"{server.url}/orders/{order_id}", headers=headers, timeout=20, trust_env=False)
        shown = httpx.get(server.metrics_url, timeout=20, trust_env=False).text

    assert (200, True) == (answer.status_code, '\nchassis_clock_offset_seconds{pool="' in shown), answer.text


def test_who_may_reach_the_api_reaches_no_metrics(shop: Shop) -> None:
    assert 404 == shop.client().get("/metrics").status_code
