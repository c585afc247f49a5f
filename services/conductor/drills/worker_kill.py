"""Workers and their children are killed before, during and after the effects of their tasks, as the kernel does when memory is out."""

from collections import Counter

from conductor.capabilities import MOMENTS
from conductor.harness import targeted_kill
from conductor.harness.drill import Drill
from conductor.harness.session import Session


def play(session: Session) -> None:
    """Kill tasks by their moment, each time with requests in flight, and in the end a process of each pool that runs no such task."""
    targets = session.targets()
    moments: Counter[str | None] = Counter()
    with session.replicated(*(target.pool for target in targets)), session.load():
        session.reporter.phase(f"{session.size.kills} kills")
        kills = targeted_kill.schedule(targets, session.size.kills if targets else 0, session.size.seed)
        for number, (target, which, moment) in enumerate(kills, 1):
            session.await_loaded()
            with session.holding(target, moment, seed=number):
                kill = session.aimed_kill(target, which, moment)
            moments[kill.moment] += 1
            session.reporter.tell(
                f"{number:3}. killed a {target.pool} {'worker' if which == 'tree' else 'child'} [red]{kill.moment}[/red] the "
                f"{f'effects of {len(kill.commands)} commands' if kill.commands else 'flush of its batches'}, "
                f"{kill.open_orders} requests in flight"
            )
        aimed = {target.pool for target in targets}
        for pool in session.runtime.pools().values():
            if pool.name not in aimed and pool.role != "beat" and pool.replicas:
                session.await_loaded()
                session.kill_process(pool.name)
                session.reporter.tell(f"killed the {pool.name}")
    told = ", ".join(f"{moments[moment]} {moment}" for moment in MOMENTS)
    session.reporter.tell(f"by moment: {told}")


DRILL = Drill("worker-kill", "kills workers and children around the effects of their tasks", play)
