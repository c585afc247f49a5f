"""A share of a pool tries a good version, which is promoted, and a faulty one, which is withdrawn: by its own error rate, by itself."""

from conductor.capstone import Capstone
from conductor.cluster.canary_rollout import Trial
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import Refused
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill

ENOUGH = 100
"""Commands each, at least, before a canary that looks well is promoted."""


def play(session: ClusterSession) -> None:
    """Try both, and have what the faulty one failed completed all the same: retried by the others, or replayed."""
    runtime = session.runtime
    pool = session.capstone.targets[0].pool
    faulty, good = _faulty_tag(runtime), runtime.next_tag
    with session.load():
        if good is not None:
            session.reporter.phase(f"a good canary with {session.await_loaded()} requests in flight")
            outcome = runtime.canary(Trial(pool, good, enough=ENOUGH), session.reporter.tell)
            session.expect(outcome.promoted, f"{good} was withdrawn, and is good: {outcome.why}")
            session.await_progress()
        session.reporter.phase(f"a faulty canary with {session.await_loaded()} requests in flight")
        outcome = runtime.canary(Trial(pool, faulty, enough=ENOUGH), session.reporter.tell)
        session.expect(not outcome.promoted, f"{faulty} was promoted, and is faulty: {outcome.why}")
        session.reporter.tell(f"withdrawn by itself: {outcome.why}")
        images = {pod["spec"]["containers"][0]["image"] for pod in runtime.pods(pool)}
        session.expect(len(images) == 1, f"{pool} still runs {', '.join(sorted(images))}")
        replayed = runtime.parked("replay", "--all", "--reason", "bug", "--actor", "drill")
        session.expect(bool(replayed), "nothing was parked: the faulty version failed nothing for good")
        session.reporter.tell(f"replayed {len(replayed)} commands that it had failed for good")
        session.await_progress()
        if good is not None:
            runtime.roll_out(runtime.tag, session.reporter.tell, back=True)
    session.expect_no_failed_request()


def _faulty_tag(runtime: KubernetesRuntime) -> str:
    if runtime.faulty_tag is None:
        raise Refused("--faulty-tag names no image whose commands fail now and then")
    return runtime.faulty_tag


def _bars(capstone: Capstone) -> str | None:
    runs_commands = any(target.flush is None for target in capstone.targets[:1])
    return None if runs_commands else "no pool of it runs commands, whose errors a canary is judged by"


DRILL = Drill(
    "canary",
    "tries a good and a faulty version on a share of a pool, judged by its errors",
    on_cluster=play,
    bars=_bars,
    prerequisite=_faulty_tag,
)
