"""A second capstone beside the orders: installed by itself, on the same servers, apart from them, and taken away without them."""

import json
import secrets
import time
from collections.abc import Iterator

import pytest
from playing import beside

from conductor.capstones.analytics.api_client import EdgeApi, QueryApi
from conductor.cluster import install
from conductor.cluster.access import ClusterAccess
from conductor.cluster.install import Installation
from conductor.cluster.names import Names
from conductor.cluster.runtime import KubernetesRuntime
from conductor.waiting import until

ANALYTICS, ORDERS = Names("analytics"), Names("orders")
EVENTS = 500
COUNTED_SECONDS = 30.0
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def analytics(installation: Installation) -> Iterator[KubernetesRuntime]:
    """The analytics, installed beside the orders; taken away after the tests of this file."""
    # A busy machine is not what is tested: the broker may take its time to confirm.
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
