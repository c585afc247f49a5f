"""Whether a canary does its work as well as the pods beside it. Pure.

Both take from the same queues in the same time, so an outage of the provider fails either's calls alike; what is asked is how likely it
would be, were they equally good, that so many of the failures fall to the canary: Fisher's exact test, one-sided.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import comb
from typing import Literal

from prometheus_client.parser import text_string_to_metric_families

CERTAIN = 0.001
"""Below this chance the canary is worse, as soon as it is seen: small, since it is looked at again and again."""

DOUBTFUL = 0.05
"""Above this chance it is not worse, once enough was done; between the two more is waited for."""

FAILURES = {"retry", "park", "failed"}
"""Outcomes of commands that did not end well, and of tasks that ended without telling an outcome of their commands."""

Judgement = Literal["sound", "worse", "undecided"]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many commands ended, and how many of them failed."""

    ended: int = 0
    failed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.ended + other.ended, self.failed + other.failed)

    def since(self, before: "Tally") -> "Tally":
        """What came since; all of it when the process began anew, and its counters with it."""
        if self.ended < before.ended or self.failed < before.failed:
            return self
        return Tally(self.ended - before.ended, self.failed - before.failed)

    def __str__(self) -> str:
        return f"{self.failed} of {self.ended}"


def tally(exposition: str) -> Tally:
    """What a worker's metrics say, in Prometheus' text format."""
    whole = Tally()
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            outcome, count = sample.labels.get("outcome"), int(sample.value)
            if sample.name == "chassis_commands_total" or (sample.name, outcome) == ("chassis_tasks_total", "failed"):
                whole += Tally(count, count if outcome in FAILURES else 0)
    return whole


@dataclass
class Window:
    """What some pods did since they were first looked at; a pod that came later counts from its start."""

    _base: dict[str, Tally] = field(default_factory=dict)
    _last: dict[str, Tally] = field(default_factory=dict)
    _before: Tally = Tally()
    _open: bool = False

    def look(self, now: Mapping[str, Tally]) -> Tally:
        """Take in the counters of the pods that are there; the whole since the first look."""
        for pod, seen in now.items():
            base = self._base.setdefault(pod, Tally() if self._open else seen)
            if seen.ended < self._last.get(pod, base).ended:
                self._before += self._last[pod].since(base)
                self._base[pod] = Tally()
            self._last[pod] = seen
        self._open = True
        return self._total(self._last)

    def _total(self, pods: Iterable[str]) -> Tally:
        return sum((self._last[pod].since(self._base[pod]) for pod in pods), self._before)


def chance(canary: Tally, stable: Tally) -> float:
    """How likely at least so many of all failures fall to the canary when both are equally good; 1 when nothing failed."""
    whole, failed = canary.ended + stable.ended, canary.failed + stable.failed
    most = min(failed, canary.ended)
    ways = sum(comb(canary.ended, k) * comb(stable.ended, failed - k) for k in range(canary.failed, most + 1))
    # Numbers of thousands of digits: divided as they are, they stay exact.
    return ways / comb(whole, failed)


def judge(canary: Tally, stable: Tally, enough: int) -> Judgement:
    """`sound` and `worse` are final; `undecided` while either has done too little, or what is seen may be chance or not."""
    likely = chance(canary, stable)
    if likely < CERTAIN:
        return "worse"
    if min(canary.ended, stable.ended) >= enough and likely > DOUBTFUL:
        return "sound"
    return "undecided"
