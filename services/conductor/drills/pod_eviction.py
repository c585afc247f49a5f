"""The pod that owns a shard is evicted under load, as by a drain: it ends in order, and its successor gets its volume.

The eviction goes through the cluster's own API, so a budget that forbids it fails the drill.
"""

from functools import partial

from conductor.capabilities import OwnsShard
from conductor.capstone import capability
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill

EVICTIONS, SMALL_EVICTIONS = 5, 1


def play(session: ClusterSession) -> None:
    """Evict the pod, again and again, each time when requests are under way."""
    pool = capability(session.capstone, OwnsShard).pool
    with session.load():
        for number in range(1, (EVICTIONS if session.size.large else SMALL_EVICTIONS) + 1):
            away = session.away_after(partial(session.evict, pool))
            session.reporter.tell(f"{number:3}. evicted the pod of {pool}: no request was answered for {away:.2f} s")
            session.runtime.wait_ready(pool)
            session.await_progress()


DRILL = Drill("pod-eviction", "evicts the pod that owns a shard", on_cluster=play, needs=(OwnsShard,))
