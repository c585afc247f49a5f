"""The broker is away for two minutes: whoever needs it waits, nobody is restarted for it, and afterwards nothing is missing."""

import time

from playing import played_with, staged

from conductor.cluster.runtime import KubernetesRuntime, ready_at
from conductor.harness.cluster_session import ClusterSession
from conductor.waiting import until

AWAY_SECONDS = 120.0
NOTICED_SECONDS = 90.0
BROKER = "statefulset/rabbitmq"
NEEDS_BROKER = ("fulfilment", "notifications", "payments", "relay", "saga")
LIVE = ("python", "-S", "-I", "/app/chassis/probe.py", "live")


@played_with(3)
def test_a_broker_that_is_away_for_two_minutes_restarts_nothing(runtime: KubernetesRuntime) -> None:
    restarts = runtime.restarts()
    with staged(runtime) as session:
        with session.load():
            session.await_loaded()
            with session.fault("rabbitmq", "server"):
                try:
                    gone_at = taken_away(session)
                    noticed = until(lambda: not any_ready(runtime), within_seconds=NOTICED_SECONDS, every_seconds=1.0)
                    left = AWAY_SECONDS - (time.monotonic() - gone_at)
                    restarted = until(lambda: runtime.restarts() != restarts, within_seconds=left, every_seconds=5.0)
                    told = {pool: runtime.inside(f"deployment/orders-{pool}", *LIVE) for pool in NEEDS_BROKER}
                finally:
                    runtime.kubectl("scale", BROKER, "--replicas=1")
                runtime.wait_stored()
            runtime.wait_ready()
            session.await_progress()
        findings = session.verdict().findings

    assert noticed, "a pool was ready without its broker"
    assert not restarted, f"{restarts} became {runtime.restarts()}"
    assert all("unreachable" in why for why in told.values()), told
    assert [] == list(findings)
    assert 0 == session.status["asked_again"], session.status["why"]


def taken_away(session: ClusterSession) -> float:
    """When the broker's last pod was gone."""
    kubectl = session.runtime.kubectl
    kubectl("scale", BROKER, "--replicas=0")
    session.wait_for(lambda: not kubectl.pods("app.kubernetes.io/name=rabbitmq"), "the broker to go", 120)
    return time.monotonic()


def any_ready(runtime: KubernetesRuntime) -> list[str]:
    """The pools that need the broker and have a pod that says it is ready."""
    return [pool for pool in NEEDS_BROKER if any(ready_at(pod) for pod in runtime.pods(pool))]
