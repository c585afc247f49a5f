"""`python -m conductor.capstones.analytics.smoke --api URL`: are events taken and counted here?

Runs inside a cluster as well as beside a laptop. Sends requests of drawn events, each a second time with its key, and asks the API until
the counters have each request once. CUSTOMER_TOKEN and OPERATOR_TOKEN are bearer tokens of a client and of an analyst. The last line is
JSON: `{"requests", "events", "errors", "seconds", "counted_seconds"}`; the exit status is 0 when there was no error. `counted_seconds`
is how long after its last answer the last request was counted.
"""

import json
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from conductor.capstones.analytics.api_client import EdgeApi, QueryApi
from conductor.capstones.analytics.events import HOUR_MS, Shape, drawn, marker, ndjson
from conductor.errors import ApiUnreachable, ConductorError
from conductor.harness import smoke_program
from conductor.harness.smoke_program import Answers
from conductor.waiting import until

SHAPE = Shape(events=20, users=50, contents=20, span_ms=0)
LOOK_SECONDS = 0.2


@dataclass
class Smoke:
    """What came of it; `errors` are sentences, `events` those that were accepted."""

    requests: int
    events: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    counted_seconds: float | None = None

    def as_json(self) -> str:
        """The last line."""
        counted = self.counted_seconds
        rounded = {"seconds": round(self.seconds, 1), "counted_seconds": None if counted is None else round(counted, 1)}
        return json.dumps({**asdict(self), "errors": len(self.errors), **rounded})


def smoke(access: Answers, *, requests: int, within_seconds: float) -> Smoke:
    """Send so many requests; every refusal, and every request that is not counted, or more than once, is an error."""
    began = time.monotonic()
    found = Smoke(requests)
    scope, at_ms = f"smoke-{secrets.token_hex(8)}-", time.time_ns() // 1_000_000
    taken = 0
    with EdgeApi.of(access) as edge:
        for number in range(requests):
            taken += _sent(edge, scope, number, at_ms, found)
    sent = time.monotonic()
    counted = 0

    with QueryApi.of(access) as query:

        def all_counted() -> bool:
            nonlocal counted
            hour = {"from_ms": at_ms - HOUR_MS, "to_ms": at_ms + HOUR_MS}
            try:
                told = query.json("GET", f"/contents/{marker(scope)}", params=hour)
            except ApiUnreachable:  # a connection that the server closed while it rested; asking again does no harm
                return False
            counted = int(told["all_time"].get("view", 0))
            return counted >= taken

        if taken and until(all_counted, within_seconds=began + within_seconds - sent, every_seconds=LOOK_SECONDS):
            found.counted_seconds = time.monotonic() - sent
    if counted != taken:
        found.errors.append(f"{taken} requests were accepted, {counted} are counted")
    found.seconds = time.monotonic() - began
    return found


def _sent(edge: EdgeApi, scope: str, number: int, at_ms: int, found: Smoke) -> bool:
    """Send a request, and once more; whether it was accepted."""
    key = f"{scope}{number}"
    body = ndjson(key, drawn(scope, 1, number, at_ms, SHAPE))
    try:
        told = edge.send(key, body)
        again = edge.send(key, body)
    except ConductorError as error:
        found.errors.append(f"request {key} was not taken: {error}")
        return False
    if told != again:
        found.errors.append(f"request {key} was answered {told}, and when it came again {again}")
    if told["accepted"] != SHAPE.events:
        found.errors.append(f"request {key} has {SHAPE.events} events, {told['accepted']} were accepted")
    found.events += int(told["accepted"])
    return True


def _tried(address: str, tokens: Mapping[str, str], requests: int, within_seconds: float) -> Smoke:
    return smoke(Answers(address, tokens), requests=requests, within_seconds=within_seconds)


if __name__ == "__main__":
    sys.exit(
        smoke_program.main(
            sys.argv[1:],
            capstone="analytics",
            description="Are events taken and counted?",
            tokens=("customer", "operator"),
            smoke=_tried,
            outcome=Smoke,
        )
    )
