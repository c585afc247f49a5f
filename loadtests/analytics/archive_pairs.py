"""What an archive costs the rest: runs without and with an archiver, in turn.

Whether batches are copied is a setting of every process and a binding of the broker, so each run is a bench of its own: new servers, and
ours in memory, once.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

HOT_PATH = ("edge", "rabbitmq", "valkey", "aggregate")


def measure(pairs: int, events: int) -> dict[str, Any]:
    """Medians of both sides; and by pair what the archive leaves of the rate, and how it changes the CPU of the other processes.

    Raises SystemExit when a run fails or is not exact.
    """
    runs: dict[str, list[dict[str, Any]]] = {"off": [], "on": []}
    for number in range(pairs):
        # Which is first alternates, so that a machine that becomes busier favours neither.
        for side in ("off", "on") if number % 2 == 0 else ("on", "off"):
            found = _run(events, archive=side == "on")
            runs[side].append(found)
            us = _hot(found)
            print(
                f"  archive {side:3} {found['events_per_second']:11,.1f} events/s {us:6.2f} us of CPU an event",
                flush=True,
            )
    rates = [_ratio(pair, lambda run: run["events_per_second"]) for pair in zip(runs["off"], runs["on"], strict=True)]
    costs = [_ratio(pair, _hot) for pair in zip(runs["off"], runs["on"], strict=True)]
    return {
        **{side: _medians(found) for side, found in runs.items()},
        "rate_left": statistics.median(rates),
        "rates_left": rates,
        "cpu_factor": statistics.median(costs),
        "cpu_factors": costs,
    }


def _run(events: int, *, archive: bool) -> dict[str, Any]:
    argv = [sys.executable, "-m", "loadtests.analytics.bench", "--parts", "memory", "--rounds", "1"]
    argv += ["--events", str(events), *(["--archive"] if archive else [])]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["memory"]
    return found


def _hot(run: dict[str, Any]) -> float:
    spent: dict[str, float] = run["cpu_us_per_event"]
    return sum(spent.get(stage, 0.0) for stage in HOT_PATH)


def _ratio(pair: tuple[dict[str, Any], dict[str, Any]], of: Callable[[dict[str, Any]], float]) -> float:
    off, on = pair
    return round(of(on) / of(off), 2)


def _medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    stages = dict.fromkeys(stage for run in runs for stage in run["cpu_us_per_event"])
    return {
        "events_per_second": statistics.median(run["events_per_second"] for run in runs),
        "cpu_us_per_event": {
            stage: round(statistics.median(run["cpu_us_per_event"].get(stage, 0.0) for run in runs), 2)
            for stage in stages
        },
    }
