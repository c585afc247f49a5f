"""Makes the outside world fail or dawdle for the length of a block; every plan also expires by itself, should the drill die."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import httpx

from conductor import http_client
from conductor.errors import Refused
from conductor.runtime import Reach

EXPIRES_SECONDS = 900.0
ANSWER_SECONDS = 10.0


def call(reach: Reach, method: str, server: str, what: str, body: Mapping[str, Any] | None = None) -> Any:
    """One administrative call to a server, and what it says, if anything. Refused when it does not take it or does not answer."""
    address = reach.addresses()[server]
    given = None if body is None else dict(body)
    try:
        answer = http_client.request(
            method, f"{address}/admin/{what}", json=given, timeout=ANSWER_SECONDS, headers=outside_headers(reach)
        )
    except httpx.HTTPError as error:
        raise Refused(f"{server} does not answer at {address}: {error}") from error
    if answer.is_error:
        raise Refused(f"{server} refused: {answer.status_code} {answer.text}")
    try:
        return answer.json() if answer.content else None
    except ValueError as error:
        raise Refused(f"{server} answers at {address} what is no JSON: {error}") from error


def outside_headers(reach: Reach) -> dict[str, str]:
    """What opens the doors of payment provider, carrier and mail server."""
    return http_client.bearer(reach.tokens()["outside"])


def faults(reach: Reach, server: str, plan: Mapping[str, Any]) -> AbstractContextManager[None]:
    """A plan of faults (see outside.faults.Plan) in force during the block."""
    return _in_force(reach, "PUT", server, "faults", {"expires_in_seconds": EXPIRES_SECONDS, **plan})


def outage(reach: Reach, server: str, plan: Mapping[str, Any]) -> AbstractContextManager[None]:
    """A server out (see outside.faults.OutagePlan) during the block."""
    return _in_force(reach, "POST", server, "outage", {"seconds": EXPIRES_SECONDS, **plan})


@contextlib.contextmanager
def _in_force(reach: Reach, method: str, server: str, what: str, plan: Mapping[str, Any]) -> Iterator[None]:
    call(reach, method, server, what, plan)
    try:
        yield
    finally:
        call(reach, "DELETE", server, what)


HOLDING = {
    "before": {"rate": {"slow": 0.6}, "slow_seconds": 0.6},
    "during": {"rate": {"slow": 0.4}, "slow_seconds": 0.6},
    "after": {"rate": {"timeout_after": 0.4}, "hang_seconds": 0.8},
}
"""Plans that keep calls waiting: before their effects, some before and some behind, and behind their effects."""

MAIL_HOLDING = {"rate": {"slow": 0.3}, "slow_seconds": 0.4}
"""The mail server cannot be kept waiting behind its effect: its answer is the effect."""


@contextlib.contextmanager
def holding(reach: Reach, server: str | None, moment: str, *, seed: int) -> Iterator[None]:
    """Keep some calls to a server waiting at this moment, so that a kill finds one there; nothing for a pool that calls nobody."""
    if server is None:
        yield
        return
    with faults(reach, server, {**(MAIL_HOLDING if server == "mail" else HOLDING[moment]), "seed": seed}):
        yield
