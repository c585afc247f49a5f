"""`python -m loadtests.analytics.recommendations_served`: how long `GET /users/{user}/recommendations` takes while events come at a rate.

One edge, which takes the events and answers the questions, one aggregator, the two pools that learn, RabbitMQ, the store of the counters
(`appendfsync always`), that of the recommendations unless `--together`, and all clients share the machine; loadtests.analytics.asking asks.
Every counter is compared with a count in plain Python. The last line is JSON; the exit code is 1 when a counter differs, a question got
another answer than 200, too few answers had learned contents, or the 99th percentile is above `--most-ms`. `bare` is what one round trip
to the edge and one to the store took between the questions: a question needs both.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from loadtests.analytics import events, over_http
from loadtests.analytics.asking import ANALYST, Asked
from loadtests.analytics.servers import TOKEN, start_aggregator, start_edge, start_store, start_worker, started
from loadtests.analytics.visibility import quantile

USERS, CONTENTS = 10_000, 1_000
DISTINCT_EVENTS = 500_000
"""Bodies are repeated, under new keys, beyond so many events; what is repeated is counted and teaches nothing new."""

LEAST_SIMILAR = 0.3
"""Share of the answers that must have a content of similar users: else it would be measured how fast popular contents are read."""

TICK_SECONDS = 5.0
"""How often users are sent to be learned: the default of RECOMMEND_EVERY_SECONDS, by which beat does it."""


@contextmanager
def ticking() -> Iterator[None]:
    """Inside, send the task that beat sends, as often as it does; a beat would want a database."""
    from analytics.app import app
    from analytics.queues import UPKEEP

    ended = threading.Event()

    def run() -> None:
        while not ended.wait(TICK_SECONDS):
            app.send_task("analytics.recommend", queue=UPKEEP)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def main(argv: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="recommendations_served", description=__doc__)
    parser.add_argument("--rate", type=int, default=50_000, help="events a second that are sent")
    parser.add_argument("--body", type=int, choices=sorted(over_http.CONNECTIONS), default=500, help="events a request")
    parser.add_argument("--asked", type=float, default=100.0, help="questions a second")
    parser.add_argument("--warm", type=float, default=20.0, help="seconds of events before the first question")
    parser.add_argument("--seconds", type=float, default=30.0, help="seconds of questions")
    parser.add_argument(
        "--window-ms", type=float, default=50.0, help="WINDOW_MS of the aggregator, whose flushes hold up readers"
    )
    parser.add_argument("--together", action="store_true", help="without RECOMMENDATIONS_URL, in the counters' store")
    parser.add_argument("--most-ms", type=float, default=10.0, help="the 99th percentile that is good enough")
    options = parser.parse_args(argv)
    # So that everything that was started is ended, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tokens = json.dumps({TOKEN: {"client": "bench"}, ANALYST: {"role": "analyst"}})
    settings = {"LOG_LEVEL": "ERROR", "API_TOKENS": tokens.replace("{", "{{").replace("}", "}}")}
    settings["WINDOW_MS"] = f"{options.window_ms}"
    with started(settings) as servers, ThreadPoolExecutor(1) as sending:
        os.environ.update(servers.environment)
        if not options.together:
            servers.environment["RECOMMENDATIONS_URL"] = start_store(servers, "recommendations")
        start_aggregator(servers)
        for pool in ("upkeep", "recommend"):
            start_worker(servers, pool)
        port = start_edge(servers)
        rate = options.rate / options.body
        requests = round(rate * (options.warm + options.seconds))
        made = events.bodies(
            min(requests, DISTINCT_EVENTS // options.body), users=USERS, contents=CONTENTS, zipf=True,
            now_ms=time.time_ns() // 1_000_000, size=options.body,
        )  # fmt: skip
        with ticking():
            load = sending.submit(over_http.measure, servers, port, made, requests, "served", per_second=rate)
            time.sleep(options.warm)  # the load's own clock: questions are asked while it goes on
            store = servers.environment.get("RECOMMENDATIONS_URL", os.environ["COUNTERS_URL"])
            asked, bare = _asked(port, store, options.asked, options.seconds)
            measured = load.result()
    told = {
        "questions": summary(asked),
        "bare": bare_summary(bare),
        "events": measured.document(),
        "load": round(os.getloadavg()[0], 1),
    }
    good = good_enough(told["questions"], options.most_ms) and not measured.differences
    print(json.dumps({"capstone": "analytics", "bench": "recommendations_served", "good": good, **told}))
    return 0 if good else 1


def _asked(port: int, store: str, per_second: float, seconds: float) -> tuple[list[Asked], dict[str, list[float]]]:
    """What the questions got, and the seconds of bare round trips between them."""
    command = [sys.executable, "-m", "loadtests.analytics.asking", "--port", f"{port}", "--store", store]
    command += ["--users", f"{USERS}", "--per-second", f"{per_second}", "--seconds", f"{seconds}"]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return [Asked(*one) for one in found["questions"]], {name: found[name] for name in ("edge", "store")}


def bare_summary(taken: dict[str, list[float]]) -> dict[str, float]:
    """Milliseconds of bare round trips to the edge and to the store, and of both one after the other."""
    taken = taken | {"both": [sum(pair) for pair in zip(taken["edge"], taken["store"], strict=True)]}
    return {
        f"{name}_p{share}_ms": round(quantile(sorted(seconds), share / 100) * 1000, 2)
        for name, seconds in taken.items()
        for share in (50, 95, 99)
    }


def summary(asked: Sequence[Asked]) -> dict[str, Any]:
    """What the questions got, in milliseconds."""
    ascending = sorted(one.seconds * 1000 for one in asked)
    return {
        "asked": len(asked),
        "failed": dict(Counter(one.status for one in asked if one.status != 200)),
        "similar": round(sum(one.similar for one in asked) / len(asked), 3),
        **{f"p{share}_ms": round(quantile(ascending, share / 100), 2) for share in (50, 95, 99)},
        "max_ms": round(ascending[-1], 2),
    }


def good_enough(questions: dict[str, Any], most_ms: float) -> bool:
    """Whether a summary says that every question was answered, most with learned contents, and 99 % of them within `most_ms`."""
    return not questions["failed"] and questions["similar"] >= LEAST_SIMILAR and questions["p99_ms"] <= most_ms


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
