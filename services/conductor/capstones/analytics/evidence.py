"""Gathers what a verdict needs: what clients were told, and every counter as the store has it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from conductor.capstones.analytics import counters, promises
from conductor.capstones.analytics.counters import Counters
from conductor.capstones.analytics.promises import Told
from conductor.history import now
from conductor.runtime import Reach


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a verdict is made from; `at` is when the counters were read, in unix seconds."""

    told: Told
    counters: Counters
    at: float


def gather(access: Reach, journals: Iterable[Path]) -> Evidence:
    """All of it, as it is now. Raises StoreUnreachable."""
    # Before the counters: what is counted of a request that began since is no finding.
    told = promises.read(journals)
    return Evidence(told, counters.read(access), now())
