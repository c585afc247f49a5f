"""Percentiles of a histogram, and which of them are over their budget. Pure.

A histogram tells a percentile by the bounds of the bucket that it lies in. A budget counts as exceeded when the lower bound is at or over
it: what is alerted is certain.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

LEAST_INPUTS = 100
"""With fewer inputs a percentile says little of anything: nothing is alerted."""


class Bounds(NamedTuple):
    """A percentile is at least the one and less than the other, in nanoseconds."""

    low_ns: int
    high_ns: int


class Breach(NamedTuple):
    """A percentile over its budget."""

    percentile: float
    at_least_us: float
    budget_us: float

    def __str__(self) -> str:
        return f"p{self.percentile * 100:g} is at least {self.at_least_us:g} µs, its budget is {self.budget_us:g} µs"


def percentile(counts: Sequence[int], first_power: int, share: float) -> Bounds | None:
    """Where a percentile lies; None without inputs.

    The first count is of less than 2^`first_power` ns, each next bucket ends at twice the one before, and the last has no end: twice its
    begin is given.
    """
    total = sum(counts)
    if not total:
        return None
    wanted = share * total
    index = next(at for at, seen in enumerate(accumulate(counts)) if seen and seen >= wanted)
    high_ns = 1 << first_power + index
    return Bounds(high_ns // 2 if index else 0, high_ns)


def breaches(counts: Sequence[int], first_power: int, budgets_us: Mapping[float, float]) -> list[Breach]:
    """The percentiles that are over their budget; a budget of 0 is none."""
    if sum(counts) < LEAST_INPUTS:
        return []
    found = []
    for share, budget_us in budgets_us.items():
        bounds = percentile(counts, first_power, share)
        if budget_us and bounds is not None and bounds.low_ns >= budget_us * 1000:
            found.append(Breach(share, bounds.low_ns / 1000, budget_us))
    return found
