"""A pool is scaled out and in again while its pods work: scaling in is a deploy of fewer, and must not cost a task."""

from conductor.capabilities import HoldsCalls
from conductor.capstone import capability
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill

MOST = 3


def play(session: ClusterSession) -> None:
    """Take pods away while calls to the outside hang in them."""
    runtime = session.runtime
    target = capability(session.capstone, HoldsCalls).scaled
    assert target.server is not None, "calls are held at a server"
    restarts = runtime.restarts()
    with session.load():
        for number in range(2 if session.size.large else 1):
            runtime.scale(target.pool, MOST)
            session.reporter.tell(f"{MOST} pods of {target.pool}")
            with session.faults(target.server, {"rate": {"slow": 0.2}, "slow_seconds": 1.5, "seed": number}):
                in_flight = session.await_loaded()
                runtime.scale(target.pool, runtime.pools()[target.pool].replicas)
                session.reporter.tell(f"scaled in with {in_flight} requests in flight")
                session.await_progress()
    again = {name: count for name, count in runtime.restarts().items() if count > restarts.get(name, 0)}
    session.expect(not again, f"pods were restarted: {again}")
    session.expect_no_failed_request()


DRILL = Drill("scale-in-while-busy", "takes pods away while they work", on_cluster=play, needs=(HoldsCalls,))
