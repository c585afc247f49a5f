"""What surrounds an order that waits: faults set at the outside's servers, and circuit breakers that are open."""

import contextlib
from collections.abc import Mapping

import httpx

from conductor import http_client
from conductor.capstones.orders.explanation import Surroundings
from conductor.errors import StoreUnreachable
from conductor.redis_client import connected
from conductor.runtime import Reach

BREAKERS = {"payments": "payment provider", "carrier": "carrier", "mail": "mail server"}
"""Circuit breakers by server, as the service names them in the shared store (`breaker:{NAME}:open`)."""

ANSWER_SECONDS = 2.0


def look(access: Reach) -> Surroundings:
    """As it is now; what does not answer is left out."""
    addresses = access.addresses()
    token = http_client.bearer(access.tokens()["outside"])
    faults: dict[str, Mapping[str, object]] = {}
    for server in BREAKERS:
        with contextlib.suppress(httpx.HTTPError, ValueError):
            answer = http_client.request(
                "GET", f"{addresses[server]}/admin/faults", timeout=ANSWER_SECONDS, headers=token
            )
            faults[server] = answer.raise_for_status().json()
    circuits: dict[str, float] = {}
    with contextlib.suppress(StoreUnreachable), connected(addresses["store"], answer_seconds=ANSWER_SECONDS) as store:
        for server, name in BREAKERS.items():
            left = store.pttl(f"breaker:{{{name}}}:open")
            if isinstance(left, int) and left > 0:
                circuits[server] = left / 1000
    return Surroundings(faults, circuits)
