"""`python -m loadtests.analytics.asking --port PORT --store URL`: asks an edge for the recommendations of drawn users, so many a second.

A process of its own, so that the clients that send events do not hold it up. Questions begin at their times, whether or not earlier ones
are answered, and a delay is counted from that time. Between two questions it asks what a question cannot do without, one by one: the edge
for nothing (`/health/live`), and the store (PING). What these two take together is the machine's, which a question waits for as well.
The only line is JSON: `questions`, a list of [seconds, status, whether something was learned], and seconds in `edge` and `store`.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import redis.asyncio

from loadtests.analytics import events
from loadtests.analytics.http_client import Connection

ANALYST = "analyst"
"""The token that is shown."""


class Asked(NamedTuple):
    """What one question got: seconds from when it was due to its answer, its status (0 without one), whether any of it was learned."""

    seconds: float
    status: int
    similar: bool


async def _due(per_second: float, seconds: float, *, after: float = 0.0) -> AsyncIterator[float]:
    """Each time that something is due, when it has come; `after` is the first, in parts of the pause between two."""
    began = time.monotonic()
    for number in range(round(per_second * seconds)):
        due = began + (number + after) / per_second
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        yield due


async def bare(port: int, store: str, *, per_second: float, seconds: float) -> dict[str, list[float]]:
    """Seconds of round trips to the edge and to the store, each by one connection, so many a second."""
    connection = Connection(port)
    taken: dict[str, list[float]] = {"edge": [], "store": []}
    async with redis.asyncio.Redis.from_url(store) as client:
        async for _ in _due(per_second, seconds, after=0.5):
            for name, call in (("edge", connection.get("/health/live", ANALYST)), ("store", client.ping())):
                asked = time.monotonic()
                await call
                taken[name].append(time.monotonic() - asked)
    connection.close()
    return taken


async def ask(port: int, *, users: int, per_second: float, seconds: float, seed: int = 1) -> list[Asked]:
    """Ask for the recommendations of drawn users, so many a second, each by a connection that is free then."""
    drawn = events.drawn_users(random.Random(seed), users, zipf=True)
    free: list[Connection] = []

    async def one(user: str, due: float) -> Asked:
        kept = bool(free)
        connection = free.pop() if kept else Connection(port)
        status, body = await connection.get(f"/users/{user}/recommendations", ANALYST)
        # The edge closes what nobody uses, also just when somebody does: a client asks by a new connection.
        if kept and status == 0:
            status, body = await connection.get(f"/users/{user}/recommendations", ANALYST)
        waited = time.monotonic() - due
        free.append(connection)
        found = json.loads(body)["recommendations"] if status == 200 else []
        return Asked(waited, status, any(each["because"] == "similar" for each in found))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(drawn(), due)) async for due in _due(per_second, seconds)]
    for connection in free:
        connection.close()
    return [task.result() for task in tasks]


async def _both(given: argparse.Namespace) -> dict[str, Any]:
    pace = {"per_second": given.per_second, "seconds": given.seconds}
    asked, taken = await asyncio.gather(
        ask(given.port, users=given.users, **pace), bare(given.port, given.store, **pace)
    )
    return {"questions": asked, **taken}


def main(argv: list[str]) -> int:
    """Print what the questions got."""
    parser = argparse.ArgumentParser(prog="asking", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--per-second", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    print(json.dumps(asyncio.run(_both(parser.parse_args(argv)))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
