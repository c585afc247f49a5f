"""What a lab is: checks worth points, and which check must pass before another one can say anything. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PASS_SHARE = 0.8
"""The share of a lab's points that passes it."""


class Impossible(ValueError):
    """Checks that cannot be run as they are written; the message names the key and the value."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a lab asks for.

    `needs` are ids of checks that must pass first; `servers` are those without which it is skipped. `hints` leads
    from a reason to a text; the reason `otherwise` stands for all others.
    """

    id: str
    title: str
    points: int
    kind: str
    parameters: Any
    needs: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    seconds: float = 60
    hidden: bool = False
    hints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lab:
    """One lab; `checks` stand in an order in which they can run, `needs` names the labs to pass before it."""

    slug: str
    level: str
    points: int
    needs: tuple[str, ...]
    title: str
    minutes: int
    servers: tuple[str, ...]
    checks: tuple[Check, ...]
    version: str
    base: str = ""
    """What the workspace begins with, if anything: the shop of the labs, or the name of a system's package."""
    runtimes: tuple[str, ...] = ("local",)
    """Where it can be graded: here, or in pods of a cluster (`kubernetes`)."""

    whole_system: bool = False
    """Whether its files are a part of a whole system, whose pools run them outside the box."""

    def skipped(self, absent: Collection[str]) -> list[Check]:
        """The checks that need a server which is absent."""
        return [check for check in self.checks if any(server in absent for server in check.servers)]

    @property
    def hidden(self) -> int:
        """How many of its checks are hidden."""
        return sum(check.hidden for check in self.checks)


def twice(names: Sequence[str]) -> str | None:
    """The first of these names that stands there more than once, if any does."""
    return next((name for name in names if names.count(name) > 1), None)


def ordered(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks as written, but for those that must wait for a later one; raises Impossible for a cycle or an unknown id."""
    known = {check.id: check for check in checks}
    if (name := twice([check.id for check in checks])) is not None:
        raise Impossible(f'id: "{name}" is used by two checks')
    for check in checks:
        for needed in check.needs:
            if needed not in known:
                raise Impossible(f'needs of "{check.id}": no check has the id "{needed}"')
    placed: dict[str, Check] = {}
    waiting = list(checks)
    while waiting:
        ready = next((check for check in waiting if all(needed in placed for needed in check.needs)), None)
        if ready is None:
            raise Impossible(f"needs: {', '.join(check.id for check in waiting)} wait for each other in a cycle")
        waiting.remove(ready)
        placed[ready.id] = ready
    return tuple(placed.values())


def add_up(checks: Sequence[Check], points: int) -> None:
    """Raise Impossible unless the checks' points are the lab's."""
    total = sum(check.points for check in checks)
    if total != points:
        raise Impossible(f"points: the checks add up to {total}, the catalogue says {points}")
