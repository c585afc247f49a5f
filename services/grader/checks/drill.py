"""Plays a drill on a whole system, some of whose pools run the learner's code, and looks for one kind of fault in the verdict.

The verdict is made from ledgers of the outside world and from what clients were told, never from what the learner's code says. Checks that
name the same drill look at one play of it.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from grader import systems
from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

if TYPE_CHECKING:
    from conductor.harness.runner import Played

SHOWN = 5


class Parameters(Strict):
    """Which drill, which pools run the learner's code, and what must not be found."""

    drill: str = Field(description="As `capstone drill list` names it.")
    package: Literal["orders", "chassis"] = Field(description="What the learner's files are: the lab's base.")
    pools: tuple[str, ...] = Field(min_length=1, description="The pools that run them.")
    none: Literal["lost", "doubled", "violated"] = Field(description="The fault of which there must be none.")
    requests: int = Field(default=systems.REQUESTS, ge=10, le=500, description="How many orders are placed at least.")


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when the drill could be carried out and found no such fault."""
    if (finding := systems.rolled(session, parameters.package, parameters.pools)) is not None:
        return finding
    return judged(systems.played(session, systems.named(parameters.drill), parameters.requests), parameters.none)


def judged(played: "Played", none: str) -> Finding:
    """What a played drill says of one kind of fault."""
    verdict = played.verdict
    found = [one for one in played.findings if one.fault == none]
    told = {} if verdict is None else dict(verdict.as_json())
    if found:
        subjects = len({one.subject for one in found})
        return failed(
            "found",
            f"{subjects} {none}: {found[0].why}",
            **told,
            faults=[f"{one.subject}: {one.why}" for one in found[:SHOWN]],
        )
    if played.failure is not None or verdict is None:
        return failed("not-ended", f"the drill {played.drill} came to no end: {played.failure}", **told)
    return passed(
        f"{verdict.accepted} accepted, {verdict.completed} completed, {verdict.kills} kills, none {none}", **told
    )
