"""What a cluster does to the pools without being asked: more pods for a backlog, fewer after it, and another one for a stuck consumer.

Played once, under one load, since most of it is waiting: a consumer is cancelled in one pool, and until it is restarted another pool gets
its backlog. Without KEDA only the former is played.
"""

from dataclasses import dataclass, field
from datetime import datetime

import pytest
from playing import has_keda, missing, played_with, staged
from pod_ends import PodEnds

from conductor.cluster.releases import restarts_of
from conductor.cluster.runtime import KubernetesRuntime, ready_at
from conductor.harness import questions
from conductor.harness.cluster_session import ClusterSession
from conductor.verdict import Finding

SCALED, STUCK = "payments", "notifications"
BACKLOG = {"rate": {"slow": 1.0}, "slow_seconds": 2.0, "seed": 1}
DAWDLE = {"rate": {"slow": 0.5}, "slow_seconds": 0.3, "seed": 1}
"""What the payment provider does until there are more pods, and then: some task runs at any time, and no queue forms."""

FOLLOWS_ITS_QUEUE = {
    "by": "queue",
    "maxReplicas": 2,
    "messagesPerReplica": 4,
    "pollingSeconds": 5,
    "scaleDownSeconds": 60,
}
SCALED_SECONDS = 180.0
RESTARTED_SECONDS = 180.0
FEW_ORDERS = 60
"""Of which at most 12 are open at a time: the queue is short unless the provider dawdles."""

pytestmark = played_with(2)


@dataclass
class Seen:
    """`most` and `last` are pods of the scaled pool, `exits` how those that went ended, `restarted` how often each pod was."""

    keda: bool
    most: int = 1
    last: int = 1
    exits: dict[str, int] = field(default_factory=dict)
    stuck_pod: str = ""
    stuck_seconds: float = 0.0
    restarted: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Stuck:
    """How often the stuck pod had been restarted before, and when it got stuck, in Unix seconds of the cluster."""

    restarts: int
    since: float


@pytest.fixture(scope="module")
def seen(runtime: KubernetesRuntime) -> Seen:
    """What was seen of all this."""
    told = Seen(keda=has_keda(runtime.kubectl))
    before, values = runtime.restarts(), runtime.values()
    selector = f"app.kubernetes.io/component={SCALED}"
    with staged(runtime, FEW_ORDERS) as session, PodEnds(runtime.kubectl, selector) as ends:
        try:
            if told.keda:
                runtime.deploy(values={**values, "pools": {SCALED: {"autoscaling": FOLLOWS_ITS_QUEUE}}})
            with session.load():
                stuck = get_stuck(session, told)
                if told.keda:
                    scale_out(session, told)
                await_restart(session, told, stuck)
                if told.keda:
                    scale_in(session, told, ends)
                session.await_progress()
            told.findings = list(session.verdict().findings)
        finally:
            if told.keda:
                runtime.deploy(values=values)
    told.restarted = {name: count - before.get(name, 0) for name, count in runtime.restarts().items()}
    return told


def scale_out(session: ClusterSession, told: Seen) -> None:
    def more() -> bool:
        session.ask(questions.Fail(SCALED, BACKLOG))
        told.most = max(told.most, len(session.runtime.pods(SCALED)))
        return told.most > 1

    session.wait_for(more, f"more pods of {SCALED}", SCALED_SECONDS)
    session.runtime.wait_ready(SCALED)
    session.reporter.tell(f"{told.most} pods of {SCALED}")


def get_stuck(session: ClusterSession, told: Seen) -> Stuck:
    runtime = session.runtime
    told.stuck_pod = runtime.pods(STUCK)[0]["metadata"]["name"]
    stuck = Stuck(runtime.restarts()[told.stuck_pod], session.ask(questions.Clock())["at"])
    control = ("python", "-m", "celery", "--app", "orders.app:app", "control", "cancel_consumer", f"orders.{STUCK}")
    runtime.kubectl("exec", told.stuck_pod, "--", *control, "--destination", f"{STUCK}@{told.stuck_pod}")
    session.reporter.tell(f"{told.stuck_pod} consumes nothing any more")
    return stuck


def await_restart(session: ClusterSession, told: Seen, stuck: Stuck) -> None:
    def consumes_again() -> bool:
        session.ask(questions.Fail(SCALED, DAWDLE))
        pod = session.runtime.pods(STUCK)[0]
        ready = ready_at(pod)
        if ready is None or restarts_of(pod) == stuck.restarts:
            return False
        told.stuck_seconds = datetime.fromisoformat(ready).timestamp() - stuck.since
        return told.stuck_seconds > 0

    session.wait_for(consumes_again, f"{told.stuck_pod} to be restarted", 2 * RESTARTED_SECONDS)
    session.reporter.tell(f"it was restarted, and consumed again {told.stuck_seconds:.0f} s after it was cancelled")


def scale_in(session: ClusterSession, told: Seen, ends: PodEnds) -> None:
    def fewer() -> bool:
        session.ask(questions.Fail(SCALED, DAWDLE))
        told.last, told.exits = len(session.runtime.pods(SCALED)), ends.codes()
        return told.last == 1 and len(told.exits) >= told.most - 1

    session.wait_for(fewer, f"one pod of {SCALED}", 2 * SCALED_SECONDS)
    session.reporter.tell(f"one pod of {SCALED} again; how the others ended: {told.exits}")


def scaled(seen: Seen) -> None:
    if not seen.keda:
        missing("KEDA is not installed: the cluster knows no ScaledObject")


def test_a_backlog_gets_a_pool_more_pods_and_its_end_takes_them_back(seen: Seen) -> None:
    scaled(seen)

    assert (2, 1) == (seen.most, seen.last)


def test_a_pod_that_is_scaled_in_ends_its_tasks_first(seen: Seen) -> None:
    scaled(seen)

    assert seen.exits
    assert {0} == set(seen.exits.values())


def test_a_stuck_consumer_is_restarted_within_three_minutes(seen: Seen) -> None:
    assert seen.stuck_seconds <= RESTARTED_SECONDS


def test_nothing_but_the_stuck_consumer_is_restarted(seen: Seen) -> None:
    assert {seen.stuck_pod: 1} == {name: count for name, count in seen.restarted.items() if count}


def test_nothing_is_lost_or_doubled_by_it(seen: Seen) -> None:
    assert [] == seen.findings
