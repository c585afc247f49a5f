"""What the API counts of itself, and where that is shown."""

import contextlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from loadtests.in_process import InProcess

from served_orders import serving

Shop = Any

BOMBS = int(os.environ.get("BOMBS", "300"))
"""Of each kind; 100,000 is all."""
MOST_SERIES = 50

pytestmark = pytest.mark.timeout(300 + BOMBS / 50)


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


BY_ANN = {"Authorization": "Bearer ann-token"}


def _traceparent(made_up: str) -> dict[str, str]:
    return {**BY_ANN, "traceparent": f"00-{uuid.UUID(made_up).hex}-{made_up[:8]}{made_up[-8:]}-01"}


STRANGE: dict[str, tuple[Callable[[InProcess, str], int], set[int]]] = {
    "route": (lambda api, name: api.ask("GET", f"/{name}", headers=BY_ANN), {404}),
    "method": (lambda api, name: api.ask(name, f"/orders/{name}", headers=BY_ANN), {405}),
    "id": (lambda api, name: api.ask("POST", f"/orders/{name}/cancel", headers=_traceparent(name)), {404}),
    "query and header": (
        lambda api, name: api.ask("GET", f"/orders/{name}", query=f"{name}={name}", headers={**BY_ANN, name: name}),
        {404, 422},
    ),
    "field and key": (
        lambda api, name: api.ask(
            "POST",
            "/orders",
            json.dumps({name: name}).encode(),
            headers={**BY_ANN, "Content-Type": "application/json", "Idempotency-Key": name, "traceparent": name},
        ),
        {422},
    ),
    "callback": (
        lambda api, name: api.ask("POST", "/callbacks/carrier", name.encode(), headers={"X-Carrier-Signature": name}),
        {401, 422},
    ),
}
"""By what a stranger makes up, the request, and how it is answered."""


@pytest.mark.parametrize("kind", STRANGE)
def test_no_name_that_a_stranger_makes_up_makes_a_series(shop: Shop, kind: str) -> None:
    ask, answers = STRANGE[kind]
    seen: Counter[int] = Counter()

    def series() -> int:
        return sum(not line.startswith("#") for line in shop.metrics().splitlines())

    with contextlib.closing(InProcess(shop.app)) as api:
        seen[ask(api, str(uuid.uuid4()))] += 1
        before = series()
        for _ in range(1, BOMBS):
            seen[ask(api, str(uuid.uuid4()))] += 1

    assert series() - before <= MOST_SERIES
    assert (BOMBS, True) == (seen.total(), seen.keys() <= answers), seen


def test_the_difference_from_the_databases_clock_is_shown(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    with serving(shop.settings) as server:
        headers = {"Authorization": "Bearer ann-token"}
        answer = httpx.get(f"{server.url}/orders/{order_id}", headers=headers, timeout=20, trust_env=False)
        shown = httpx.get(server.metrics_url, timeout=20, trust_env=False).text

    assert (200, True) == (answer.status_code, '\nchassis_clock_offset_seconds{pool="' in shown), answer.text


def test_who_may_reach_the_api_reaches_no_metrics(shop: Shop) -> None:
    assert 404 == shop.client().get("/metrics").status_code
