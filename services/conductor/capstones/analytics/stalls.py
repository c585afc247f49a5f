"""What an aggregator says while its store does not take its flushes: it is alive and not ready, and nobody restarts it."""

import time
from contextlib import AbstractContextManager

from conductor.capstones.analytics.targets import AGGREGATE
from conductor.capstones.analytics.workload import AnalyticsWorkload
from conductor.harness.laptop_session import LaptopSession

STALLED, RECOVERED = "store_unavailable", "store_answers"
"""Events of an aggregator's log."""

LOGGED_SECONDS = 90.0


def stall(
    session: LaptopSession, workload: AnalyticsWorkload, fault: AbstractContextManager[None], *, seconds: float = 0.0
) -> None:
    """Have the store not work during `fault`, so long at least, until every aggregator has said so; return when all have recovered.

    DrillFailed when an aggregator was restarted meanwhile, or when the edge took nothing: it does not need the store.
    """
    processes = {tree.name: tree.pid for tree in session.runtime.trees(AGGREGATE.pool)}
    before = {name: (_said(session, name, STALLED), _said(session, name, RECOVERED)) for name in processes}
    session.await_loaded()
    taken = workload.accepted
    with fault:
        until = time.monotonic() + seconds
        session.wait_for(
            lambda: all(_said(session, name, STALLED) > before[name][0] for name in processes),
            f"{', '.join(processes)} to say that the store does not work",
            LOGGED_SECONDS,
        )
        session.wait_for(lambda: workload.accepted > taken, "the edge to take a request while the store does not work")
        session.reporter.tell("the aggregator waits, and the edge goes on")
        session.wait_for(lambda: time.monotonic() >= until, "the end of the fault", seconds + LOGGED_SECONDS)
        session.reporter.tell(f"{workload.accepted - taken} requests were taken meanwhile")
    session.wait_for(
        lambda: all(_said(session, name, RECOVERED) > before[name][1] for name in processes),
        f"{', '.join(processes)} to say that the store works again",
        LOGGED_SECONDS,
    )
    now = {tree.name: tree.pid for tree in session.runtime.trees(AGGREGATE.pool)}
    session.expect(processes == now, f"an aggregator was restarted because its store did not work: {processes}, {now}")


def _said(session: LaptopSession, process: str, event: str) -> int:
    return session.runtime.log(process).count(f'"{event}"')
