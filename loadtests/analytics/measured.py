"""What one run of one design took. Pure."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Measured:
    """`cpu_seconds` is by stage, the processes of a stage and their children together."""

    side: str
    events: int
    seconds: float
    cpu_seconds: dict[str, float]
    differences: list[str]
    """Counters that are not as they must be."""
    more: dict[str, Any] = field(default_factory=dict)
    """What only one kind of run has."""

    @property
    def per_second(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    def us_per_event(self) -> dict[str, float]:
        """Microseconds of CPU an event by stage."""
        return {stage: round(spent / self.events * 1e6, 2) for stage, spent in self.cpu_seconds.items()}

    def document(self) -> dict[str, Any]:
        """For a line of JSON."""
        found = self.us_per_event()
        return {
            "events": self.events,
            "events_per_second": round(self.per_second, 1),
            "seconds": round(self.seconds, 2),
            "exact": not self.differences,
            "cpu_us_per_event": found,
            "cpu_us": round(sum(self.cpu_seconds.values()) / self.events * 1e6, 2),
            **self.more,
        }

    def __str__(self) -> str:
        cores = sum(self.cpu_seconds.values()) / self.seconds
        exact = "exact" if not self.differences else "; ".join(self.differences)
        us = sum(self.us_per_event().values())
        return f"{self.side:10} {self.per_second:11,.1f} events/s {us:9,.2f} us CPU an event {cores:.2f} cores, {exact}"
