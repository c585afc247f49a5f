"""What a real Jaeger behind a real collector has of requests of the analytics, from each over its batch to the window that counted it."""

import hashlib
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from playing import played_with
from watching import STORIES, brief, jaeger, judged, tell, watched

from conductor.capstones.analytics.api_client import EdgeApi
from conductor.capstones.analytics.events import Shape, drawn, ndjson
from conductor.cluster.access import ClusterAccess
from conductor.cluster.installation import Installation
from conductor.cluster.runtime import KubernetesRuntime
from conductor.harness.load import insist
from conductor.harness.traces import Span
from told_batches import Way, uncarried, ways
from told_spans import entries_of, entry_of_batch_or_input, of_probes

pytestmark = [pytest.mark.timeout(3600), played_with(4)]

SENT_AT_A_TIME = 8
"""So that batches carry several requests, and windows several batches."""
SHAPE = Shape(events=20, users=50, contents=20, span_ms=0)
PATIENT = ("--set", "settings.answerSeconds=8")
"""A busy machine is not what is looked at."""


@dataclass
class Told:
    """Requests by the digests of their keys, and what Jaeger has of the service since the first of them."""

    requests: list[str]
    spans: list[Span]
    wrong: list[tuple[Any, ...]]
    ways: dict[str, list[Way]]


def sent(runtime: KubernetesRuntime, count: int) -> list[str]:
    """So many requests; the digests of their keys."""
    scope, at_ms = f"told-{secrets.token_hex(8)}-", time.time_ns() // 1_000_000

    with ClusterAccess(runtime.namespace, runtime.capstone) as reach:
        address, token = reach.addresses()["api"], reach.tokens()["customer"]

        def one(number: int) -> str:
            key = f"{scope}{number}"
            body = ndjson(key, drawn(scope, 1, number, at_ms, SHAPE))
            with EdgeApi(address, token) as edge:
                insist(partial(edge.send, key, body))
            return hashlib.sha256(key.encode()).hexdigest()[:32]

        with ThreadPoolExecutor(SENT_AT_A_TIME) as threads:
            return list(threads.map(one, range(count)))


@pytest.fixture(scope="module")
def told(installation: Installation) -> Told:
    """Requests that were counted, and their spans."""
    with watched(installation, "analytics", *PATIENT) as runtime:
        since = time.time()
        requests = sent(runtime, STORIES)

        def counted(spans: Sequence[Span]) -> bool:
            found = ways(spans)
            every = all(way.windows for one in requests for way in found.get(one, [Way()]))
            return every and entries_of("analytics") <= set(map(entry_of_batch_or_input, spans))

        spans = jaeger(runtime, since, counted)
        wrong = judged("analytics", spans, entry_of_batch_or_input, requests=requests)
    found = Told(requests, spans, wrong, ways(spans))
    batches, windows = (
        len({one for way in found.ways.values() for each in way for one in getattr(each, kind)})
        for kind in ("batches", "windows")
    )
    tell(f"{len(found.ways)} requests in {batches} batches, which {windows} windows applied")
    return found


def test_what_jaeger_has_of_the_analytics_is_what_the_registry_says_both_ways(told: Told) -> None:
    assert not told.wrong, brief(told.wrong)
    assert entries_of("analytics") == set(map(entry_of_batch_or_input, told.spans))


def test_probes_and_scrapes_make_no_traces(told: Told) -> None:
    assert [] == of_probes(told.spans)


def test_each_request_leads_to_its_batch_and_this_to_its_window_and_back(told: Told) -> None:
    other = {
        one: found
        for one, found in told.ways.items()
        if {(1, 1, 0)} != {(len(way.batches), len(way.windows), way.lost) for way in found}
    }

    assert not other, brief(list(other.items()))
    assert set(told.requests) == set(told.ways)
    assert len(told.requests) >= STORIES


def test_there_is_no_batch_without_a_request_and_no_window_without_its_batches(told: Told) -> None:
    assert [] == uncarried(told.spans)
