"""The analytics beside the orders: installed by themselves, on the same servers, apart from them, and taken away without them.

Drills of a cluster leave every counter right, and aggregators come and go with how long batches wait.
"""

import json
import secrets
import time
from collections.abc import Iterator

import pytest
from playing import beside, has_keda, missing, played, shared_out, staged
from pod_ends import PodEnds

from conductor.capstone import Size
from conductor.capstones.analytics.api_client import EdgeApi, QueryApi
from conductor.cluster import install
from conductor.cluster.access import ClusterAccess
from conductor.cluster.installation import Installation
from conductor.cluster.names import Names
from conductor.cluster.releases import name_of
from conductor.cluster.runtime import KubernetesRuntime
from conductor.waiting import until

ANALYTICS, ORDERS = Names("analytics"), Names("orders")
EVENTS = 500
COUNTED_SECONDS = 30.0
HOUR_MS = 3_600_000

AUTOSCALING = "autoscaling"
OURS = shared_out(("worker-kill", "blue-green", AUTOSCALING, "rolling-deploy"))
REQUESTS, PER_SECOND = 60, 10.0

AGGREGATE = "aggregate"
FOLLOWS_THE_WAIT = {
    "by": "queue",
    "maxReplicas": 2,
    # The load lets 40 requests wait at most, so by their number there is never more than one pod.
    "messagesPerReplica": 1000,
    "waitSeconds": 1,
    "pollingSeconds": 5,
    "scaleDownSeconds": 20,
}
WAITING = {"windowMs": 3000, "prefetchBatches": 200}
"""Ten requests a second are ten batches a second, which wait in an aggregator for as long as its window, and do not fill it."""

THE_WAIT = "s1-rabbitmq-analytics-aggregate"
"""KEDA's name of the second trigger, by which the autoscaler says why it scales."""

SCALED_SECONDS = 180.0
REASON_SECONDS = 30.0


@pytest.fixture(scope="module")
def analytics(installation: Installation) -> Iterator[KubernetesRuntime]:
    """The analytics, installed beside the orders; taken away after the tests of this file."""
    # The deploys are judged by that no request is sent again, and on a busy machine the broker confirms some after the default of a second.
    with beside(installation, ANALYTICS.capstone, "--set", "settings.answerSeconds=8") as runtime:
        yield runtime


def test_both_do_their_work_side_by_side(analytics: KubernetesRuntime, installation: Installation) -> None:
    content, at = f"c-{secrets.token_hex(6)}", round(time.time() * 1000)
    lines = [
        {"id": f"e-{number}", "user": f"u-{number % 7}", "content": content, "kind": "like", "at_ms": at}
        for number in range(EVENTS)
    ]
    body = "\n".join(map(json.dumps, lines)).encode()

    with ClusterAccess(installation.namespace, ANALYTICS.capstone) as reach, EdgeApi.of(reach) as edge:
        answers = [edge.send(f"k-{content}", body) for _ in range(2)]
        with QueryApi.of(reach) as query:
            counted: list[int] = []

            def all_counted() -> bool:
                found = query.json(
                    "GET", f"/contents/{content}", params={"from_ms": at - HOUR_MS, "to_ms": at + HOUR_MS}
                )
                counted.append(found["all_time"].get("like", 0))
                return counted[-1] >= EVENTS

            assert until(all_counted, within_seconds=COUNTED_SECONDS)
            assert EVENTS == counted[-1]
    ended = install.smoke(installation, ORDERS, 10)

    assert [EVENTS, EVENTS] == [one["accepted"] for one in answers]
    assert (0, 0) == (ended.status, json.loads(ended.output.splitlines()[-1])["errors"])


def test_neither_reaches_what_is_the_others(analytics: KubernetesRuntime) -> None:
    look = (
        "import os, psycopg; url = os.environ['DATABASE_URL'].replace('+psycopg', ''); "
        "mine = psycopg.connect(url); print(mine.execute('SELECT current_user').fetchone()[0])\n"
        "try: psycopg.connect(url.rpartition('/')[0] + '/{other}')\n"
        "except psycopg.OperationalError as error: print('permission denied' in str(error))"
    )
    said = {
        own.capstone: analytics.inside(
            f"deployment/{own.api_service}", "python", "-c", look.format(other=other.capstone)
        ).split()
        for own, other in ((ANALYTICS, ORDERS), (ORDERS, ANALYTICS))
    }

    assert {"analytics": ["analytics", "True"], "orders": ["orders", "True"]} == said


@pytest.mark.parametrize("name", [name for name in OURS if name != AUTOSCALING])
def test_every_counter_is_right_after_a_drill(analytics: KubernetesRuntime, name: str) -> None:
    told = played(analytics, name, Size(REQUESTS, per_second=PER_SECOND))

    assert (True, None, ()) == (told.sound, told.failure, told.findings)
    assert told.verdict is not None
    assert told.verdict.accepted >= REQUESTS


@pytest.mark.skipif(AUTOSCALING not in OURS, reason="another part of E2E_PART plays it")
def test_aggregators_come_for_batches_that_wait_too_long_and_go_after_them(analytics: KubernetesRuntime) -> None:
    if not has_keda(analytics.kubectl):
        missing("KEDA is not installed: the cluster knows no ScaledObject")
    values, selector = analytics.values(), f"app.kubernetes.io/instance={ANALYTICS.release}"
    # The deploy below replaces these, and their ends are not those that are waited for.
    before, most = {name_of(pod) for pod in analytics.pods(AGGREGATE)}, 1

    def pods() -> int:
        return len(analytics.pods(AGGREGATE))

    with PodEnds(analytics.kubectl, f"{selector},app.kubernetes.io/component={AGGREGATE}") as ends:
        try:
            settings = {**(values.get("settings") or {}), **WAITING}
            pools = {AGGREGATE: {"autoscaling": FOLLOWS_THE_WAIT}}
            analytics.deploy(values={**values, "settings": settings, "pools": pools})
            with staged(analytics, REQUESTS) as session:
                with session.load():
                    session.wait_for(lambda: pods() > 1, "more aggregators", SCALED_SECONDS)
                    most = pods()
                    analytics.wait_ready(AGGREGATE)
                    session.wait_for(lambda: scaled_by(analytics, THE_WAIT), "the autoscaler's reason", REASON_SECONDS)
                session.wait_for(lambda: pods() == 1, "one aggregator", 2 * SCALED_SECONDS)
                session.wait_for(
                    lambda: len(ends.codes().keys() - before) >= most - 1, "the end of the others", SCALED_SECONDS
                )
                findings, exits = session.verdict().findings, ends.codes()
        finally:
            analytics.deploy(values=values)

    assert ([], {0}) == (findings, set(exits.values()))


def scaled_by(runtime: KubernetesRuntime, trigger: str) -> bool:
    """Whether the autoscaler of the aggregators has said that this trigger made it scale up."""
    name = f"keda-hpa-{ANALYTICS.release}-{AGGREGATE}"
    events = runtime.kubectl(
        *("get", "events", "--field-selector", f"involvedObject.name={name},reason=SuccessfulRescale"),
        *("--output", "jsonpath={.items[*].message}"),
    )
    return f"{trigger}(" in events and "above target" in events
