"""How long to wait before trying again: full jitter. Pure but for the random source.

Source: Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015): of the usual schemes, full jitter lets a crowd
of clients through a recovering server with the fewest calls.
"""

import random
from typing import Protocol


class RandomSource(Protocol):
    """What `random` gives: a number from `a` to `b`."""

    def uniform(self, a: float, b: float) -> float: ...


def backoff(
    failures: int, *, base_seconds: float = 0.5, cap_seconds: float = 30.0, rng: RandomSource = random
) -> float:
    """Seconds to wait after `failures` earlier ones (0 = this is the first): evenly from 0 to base x 2^failures, at most the cap."""
    # 2^failures overflows a float long after it has passed any cap.
    ceiling = min(cap_seconds, base_seconds * 2.0 ** min(failures, 64))
    return rng.uniform(0.0, ceiling)
