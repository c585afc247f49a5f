"""Makes an outside program fail or answer late during a block; every plan also expires by itself, should the drill be killed."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import httpx

from conductor import http_client
from conductor.capabilities import Moment, Target
from conductor.errors import Refused
from conductor.runtime import Reach

EXPIRES_SECONDS = 900.0
ANSWER_SECONDS = 10.0


def call(access: Reach, method: str, server: str, what: str, body: Mapping[str, Any] | None = None) -> Any:
    """One administrative call to a server, and what it says, if anything. Refused when it does not take it or does not answer."""
    address = access.addresses()[server]
    given = None if body is None else dict(body)
    try:
        answer = http_client.request(
            method, f"{address}/admin/{what}", json=given, timeout=ANSWER_SECONDS, headers=outside_headers(access)
        )
    except httpx.HTTPError as error:
        raise Refused(f"{server} does not answer at {address}: {error}") from error
    if answer.is_error:
        raise Refused(f"{server} refused: {answer.status_code} {answer.text}")
    try:
        return answer.json() if answer.content else None
    except ValueError as error:
        raise Refused(f"{server} answers at {address} what is no JSON: {error}") from error


def outside_headers(access: Reach) -> dict[str, str]:
    """What opens the ledgers and faults of the outside programs."""
    return http_client.bearer(access.tokens()["outside"])


def faults(access: Reach, server: str, plan: Mapping[str, Any]) -> AbstractContextManager[None]:
    """A plan of faults (see outside.faults.Plan) in force during the block."""
    return _in_force(access, "PUT", server, "faults", {"expires_in_seconds": EXPIRES_SECONDS, **plan})


def outage(access: Reach, server: str, plan: Mapping[str, Any]) -> AbstractContextManager[None]:
    """A server out (see outside.faults.OutagePlan) during the block."""
    return _in_force(access, "POST", server, "outage", {"seconds": EXPIRES_SECONDS, **plan})


@contextlib.contextmanager
def _in_force(access: Reach, method: str, server: str, what: str, plan: Mapping[str, Any]) -> Iterator[None]:
    call(access, method, server, what, plan)
    try:
        yield
    finally:
        call(access, "DELETE", server, what)


def holding(access: Reach, target: Target, moment: Moment, *, seed: int) -> AbstractContextManager[None]:
    """Keep some calls of a target waiting at this moment, so that a kill finds one there; nothing for a pool that calls nobody."""
    if target.server is None:
        return contextlib.nullcontext()
    return faults(access, target.server, {**target.holds[moment], "seed": seed})
