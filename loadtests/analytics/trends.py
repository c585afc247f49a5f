"""`python -m loadtests.analytics.trends`: how well the trends in bounded memory agree with the same score on raw events; one JSON line.

A million contents are viewed by Zipf's law at a constant rate. Bursts of graded size are planted into the last minutes, on contents of
any rank, and the top 20 is compared with the exact one. Time is simulated. Exit code 1 when a recall is below 0.95, when a burst
that must be listed in time is later than 5 s, or when the best-seller is ever listed.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from itertools import accumulate
from math import exp, sqrt
from typing import Any

from analytics.domain.decayed_sketch import ROWS, WIDTH
from analytics.domain.trends import BETA, LEAST_SCORE, SPANS, WINDOWS, Measure, Trends, ranked

TOP = 20
STEP_SECONDS = 1
"""How often a replica adds what it has counted."""
LISTED_SECONDS = 5
DUE_SECONDS = 3
"""A burst must be listed in time when it is expected to reach the least score so soon; a weaker one takes longer to tell from chance."""


class Raw:
    """The same sums, one a content, exact."""

    def __init__(self, now: float) -> None:
        self.started = now
        self.sums: list[dict[str, float]] = [{} for _ in SPANS]

    def add(self, counts: Counter[str], at: float) -> None:
        for span, sums in zip(SPANS, self.sums, strict=True):
            weight = exp((at - self.started) / span)
            for key, count in counts.items():
                sums[key] = sums.get(key, 0.0) + count * weight

    def top(self, window: int, now: float) -> list[str]:
        """The contents with the highest scores."""
        short, long = SPANS[window], SPANS[window + 1]
        age = now - self.started
        masses = [span * (1 - exp(-age / span)) for span in (short, long)]
        fades = [exp(-age / span) for span in (short, long)]
        scores = {}
        for key, value in self.sums[window].items():
            count = value * fades[0]
            usual = max(0.0, self.sums[window + 1][key] * fades[1] - count) * masses[0] / (masses[1] - masses[0])
            scores[key] = Measure(count, usual).score
        return sorted(scores, key=lambda key: -scores[key])[:TOP]


def simulate(
    *, contents: int, rate: int, seconds: int, bursts: int, seed: int, window: str = "5m", replicas: int = 1,
    width: int = WIDTH, least: int = 200,
) -> dict[str, Any]:  # fmt: skip
    """Play `seconds` of `rate` events a second, and say how the trends did. The smallest burst has `least` events a window."""
    dice = random.Random(seed)
    start = 1_764_000_000.0
    position = list(WINDOWS).index(window)
    span = WINDOWS[window]
    step = max(STEP_SECONDS, span // 300)
    weights = list(accumulate(1 / (rank + 1) for rank in range(contents)))
    names = [f"c{rank}" for rank in range(contents)]
    raw, sketched = Raw(start), [Trends(start, width=width) for _ in range(replicas)]
    # Sizes are graded by 12 %; ranks are spread from the hundredth to the last; they begin within the last two thirds of a window.
    planted = {
        names[int(100 * (contents / 100) ** dice.random()) - 1]: (
            int(seconds - dice.uniform(0.1, 0.66) * span),
            least * 1.12**number / span,
        )
        for number in range(bursts)
    }
    listed: dict[str, float] = {}
    best_seller, spent, events = False, 0.0, 0
    for second in range(0, seconds, step):
        drawn = dice.choices(range(contents), cum_weights=weights, k=rate * step)
        counts = Counter([names[rank] for rank in drawn])
        for name, (begin, pace) in planted.items():
            if second >= begin:
                counts[name] += int(pace * step) + (dice.random() < pace * step % 1)
        counts = +counts
        # Each content is viewed at least once.
        counts.update(names[second * contents // seconds : (second + step) * contents // seconds])
        now = start + second + step
        raw.add(counts, now - step / 2)
        events += counts.total()
        shares = _split(counts, replicas, dice)
        began = time.process_time()
        for one, share in zip(sketched, shares, strict=True):
            one.add(share, at=now - step / 2, now=now)
        spent += time.process_time() - began
        if second % (2 * step):
            continue  # every other report is enough
        top = [name for name, _ in ranked(_reports(sketched, position, now), 50)]
        best_seller |= names[0] in top
        for name in top:
            if name in planted and second >= planted[name][0]:
                listed.setdefault(name, second + step - planted[name][0])
    found = [name for name, _ in ranked(_reports(sketched, position, now), TOP, 0.0)]
    exact = raw.top(position, now)
    usual = {name: rate * span / weights[-1] / (int(name[1:]) + 1) for name in planted}
    fast = [name for name, (_, pace) in planted.items() if pace * DUE_SECONDS >= LEAST_SCORE * sqrt(usual[name] + BETA)]
    cells = ROWS * width * len(SPANS) * replicas
    return {
        "seed": seed,
        "window": window,
        "events": events,
        "planted": len(planted),
        "recall": len(set(found) & set(exact)) / TOP,
        "fast_bursts": len(fast),
        "slowest_listed_seconds": max((listed.get(name, 1e9) for name in fast), default=0),
        "best_seller_listed": best_seller,
        "counters_of_exact": sum(map(len, raw.sums)),
        "cells": cells,
        "memory_ratio": round(cells / sum(map(len, raw.sums)), 4),
        "us_per_event": round(spent / events * 1e6, 2),
    }


def _reports(replicas: list[Trends], position: int, now: float) -> list[dict[str, Measure]]:
    keys = {key for one in replicas for key in list(one.candidates(position, now))[:100]}
    return [{key: one.measure(position, key, now) for key in keys} for one in replicas]


def _split(counts: Counter[str], replicas: int, dice: random.Random) -> list[Counter[str]]:
    if replicas == 1:
        return [counts]
    shares: list[Counter[str]] = [Counter() for _ in range(replicas)]
    for key in counts.elements():
        shares[dice.randrange(replicas)][key] += 1
    return shares


def main(argv: list[str]) -> int:
    """Run; the exit code: 0 when all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--contents", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=2400)
    parser.add_argument("--bursts", type=int, default=40)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    options = vars(parser.parse_args(argv))
    runs = [simulate(seed=seed, **options) for seed in options.pop("seeds")]
    good = all(
        run["recall"] >= 0.95
        and run["slowest_listed_seconds"] <= LISTED_SECONDS
        and not run["best_seller_listed"]
        and run["memory_ratio"] <= 0.1
        for run in runs
    )
    print(
        json.dumps(
            {"capstone": "analytics", "bench": "trends", "good": good, "beta": BETA, "least": LEAST_SCORE, "runs": runs}
        )
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
