"""Another release is installed beside the one that works and takes the work over, and back: no queue may be without a consumer."""

from conductor.capabilities import OwnsShard
from conductor.capstone import Capstone, offered
from conductor.errors import ConductorError
from conductor.harness import questions
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill

LONGEST_GAP_SECONDS = 2.0


def play(session: ClusterSession) -> None:
    """Switch to green and back to blue, and see by the broker that somebody consumed all the while."""
    runtime = session.runtime
    queues = sorted(queue for pool in runtime.pools().values() if pool.replicas for queue in pool.queues)
    session.ask(questions.WatchConsumers(queues))
    try:
        with session.load():
            for to in ("green", "blue"):
                in_flight = session.await_loaded()
                session.reporter.phase(f"switching to {to} with {in_flight} requests in flight")
                tag = (runtime.next_tag or runtime.tag) if to == "green" else runtime.tag
                runtime.switch(to, tag, session.reporter.tell, alone=to == "blue")
                session.await_progress()
                session.reporter.tell(f"{to} completes new requests")
    except ConductorError:
        # Whoever plays next finds one release, and that it works.
        runtime.switch("blue", None, session.reporter.tell, alone=True)
        raise
    seen = session.ask(questions.Consumers())
    longest = max(seen["gaps"], key=lambda queue: seen["gaps"][queue])
    session.reporter.tell(
        f"the longest time that no consumer was seen at a queue: {seen['gaps'][longest]} s, at {longest}; looked {seen['looks']} "
        f"times, at worst {seen['coarsest']} s apart; consumers at least and at most: {seen['consumers']}"
    )
    for queue, seconds in seen["gaps"].items():
        session.expect(seconds <= LONGEST_GAP_SECONDS, f"{queue} was without a consumer for {seconds} s")
    for queue, (_, most) in seen["consumers"].items():
        session.expect(most >= 2, f"{queue} never had consumers of both releases: it was handed over, not switched")
    session.expect_no_failed_request()


def _bars(capstone: Capstone) -> str | None:
    shard = offered(capstone, OwnsShard)
    return f"what its pool {shard.pool} keeps on its volume is of one release alone" if shard else None


DRILL = Drill("blue-green", "has a second release take the work over, and goes back", on_cluster=play, bars=_bars)
