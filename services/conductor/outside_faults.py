"""Makes the outside world fail or dawdle for the length of a block; every plan also expires by itself, should the drill die."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from conductor.errors import DrillFailed
from conductor.runtimes import Runtime

EXPIRES_SECONDS = 900.0
ANSWER_SECONDS = 10.0


def call(runtime: Runtime, method: str, server: str, what: str, body: Mapping[str, Any] | None = None) -> Any:
    """One administrative call to a server; DrillFailed when it refuses."""
    try:
        answer = httpx.request(
            method,
            f"{runtime.addresses()[server]}/admin/{what}",
            json=None if body is None else dict(body),
            timeout=ANSWER_SECONDS,
            trust_env=False,
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise DrillFailed(f"{server} does not take faults: {error}") from error
    return answer.json()


@contextlib.contextmanager
def faults(runtime: Runtime, server: str, plan: Mapping[str, Any]) -> Iterator[None]:
    """A plan of faults (see outside.faults.Plan) in force during the block."""
    call(runtime, "PUT", server, "faults", {"expires_in_seconds": EXPIRES_SECONDS, **plan})
    try:
        yield
    finally:
        call(runtime, "DELETE", server, "faults")


@contextlib.contextmanager
def slow(runtime: Runtime, *, seed: int) -> Iterator[None]:
    """Some answers of provider, carrier and mail server take their time, some of them after the effect: room for a kill in between."""
    plan = {"rate": {"slow": 0.2, "timeout_after": 0.02}, "slow_seconds": 0.4, "hang_seconds": 0.8, "seed": seed}
    mail = {"rate": {"slow": 0.1}, "slow_seconds": 0.3, "seed": seed}
    with faults(runtime, "payments", plan), faults(runtime, "carrier", plan), faults(runtime, "mail", mail):
        yield
