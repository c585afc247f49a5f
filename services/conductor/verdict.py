"""What came of a drill: what was lost or done twice, and what happened twice and may have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Fault = Literal["lost", "doubled", "violated"]
"""`violated` is a rule that the system itself states, and did not keep."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be, and what it happened to."""

    fault: Fault
    subject: str
    why: str


@dataclass(frozen=True, slots=True)
class Excused:
    """An effect that took place twice and may have; `why` names the fault that explains it, `detail` is the same for programs."""

    subject: str
    why: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`counts` is what only this capstone counts, by name; `lost` and `doubled` count subjects, not findings."""

    accepted: int
    completed: int
    findings: Sequence[Finding]
    kills: int
    excused: Sequence[Excused] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        return len({finding.subject for finding in self.findings if finding.fault == "lost"})

    @property
    def doubled(self) -> int:
        return len({finding.subject for finding in self.findings if finding.fault == "doubled"})

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing doubled."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """The counts by the names of the last line."""
        return {
            "accepted": self.accepted,
            "completed": self.completed,
            "lost": self.lost,
            "doubled": self.doubled,
            **self.counts,
            "kills": self.kills,
        }
