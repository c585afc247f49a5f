"""Kills the pool that charges cards while the provider keeps its answers back: the charge has happened, and nobody knows."""

from conductor.capabilities import Moment
from conductor.errors import DrillFailed
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from grader import systems
from grader.checks import drill
from grader.domain.verdict import Finding
from grader.session import Session

POOL = "payments"
MOMENTS: tuple[Moment, ...] = ("after", "during", "after")
KILLS = Drill(
    "kill-charges",
    "kills the pool that charges cards when the provider has charged them",
    on_laptop=lambda one: _kill(one),
)


def none(session: Session, fault: str) -> Finding:
    """Nothing was done twice, or lost."""
    finding = systems.rolled(session, "orders", [POOL])
    return finding or drill.judged(systems.played(session, KILLS), fault)


def _kill(session: LaptopSession) -> None:
    target = next(one for one in session.targets() if one.pool == POOL)
    hit = 0
    with session.load():
        for seed, moment in enumerate(MOMENTS, 1):
            session.await_loaded()
            with session.holding(target, moment, seed=seed):
                kill = session.aimed_kill(target, "tree", moment)
            hit += bool(kill.commands) and kill.moment != "before"
            session.reporter.tell(f"killed {POOL} {kill.moment} the effects of {len(kill.commands)} commands")
            session.await_progress()
    session.settle()
    if not hit:
        raise DrillFailed(f"none of {len(MOMENTS)} kills hit a charge that had happened")
