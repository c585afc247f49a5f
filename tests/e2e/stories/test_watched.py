"""What a real Jaeger behind a real collector has of orders of every kind.

The overlay is observability-jaeger, every trace is recorded, and a worker's child is replaced after each task. STORIES is how many there
are of each kind; the file that STORIES_KEPT names gets all of it. observability/registry.yaml is the law, as it is for a platform on one
machine (tests/integration/conductor/test_order_stories.py).
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from order_kinds import RETRIES, opened
from playing import played_with

from conductor.cluster import install
from conductor.cluster.installation import Installation
from conductor.cluster.port_forward import forwarded
from conductor.cluster.runtime import KubernetesRuntime
from conductor.harness import traces
from conductor.harness.traces import Span
from conductor.waiting import until
from told_orders import (
    MOST_SPANS,
    MOST_SPANS_SMOOTH,
    MOST_UNEXPLAINED,
    SHAPES,
    own_trace,
    shape,
    stories,
    traces_apart,
    unexplained,
)
from told_spans import REGISTRY, against_registry, entry_of_order

pytestmark = [pytest.mark.timeout(3600), played_with(1)]

STORIES = int(os.environ.get("STORIES", "3"))
KINDS = ("smooth", "declined", "retried", "killed", "cancelled", "restored")
ENDS = {"declined": "failed", "cancelled": "cancelled"}
OVERLAY = Path(__file__).parent / "watched"
POOLS = ("saga", "payments", "fulfilment", "notifications")
WHOLE = ("--set", "settings.otelTracesSamplerArg=1")
"""Every trace is recorded."""
ENDPOINT = ("--set", "settings.otelExporterOtlpEndpoint=http://opentelemetry-collector:4318")
RECYCLED = tuple(part for pool in POOLS for part in ("--set", f"pools.{pool}.maxTasksPerChild=1"))
COME_SECONDS = 60.0
SLICE_SECONDS = 20.0
"""Of the time that is asked for at once: an answer has all spans of the traces that were in it."""
MOST_TRACES = 20_000
"""In one answer; more would be left out without a word."""


@dataclass
class Told:
    """Orders by their kind, and what Jaeger has of the service since the first of them."""

    kinds: dict[str, list[str]]
    spans: list[Span]
    stories: dict[str, list[Span]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stories = stories(self.spans)

    def own(self, order_id: str) -> list[Span]:
        """The spans of the order's own trace."""
        return [span for span in self.stories.get(order_id, ()) if span.trace == own_trace(order_id)]


def tell(line: str) -> None:
    """For pytest's captured output, and -s."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def jaeger(runtime: KubernetesRuntime, since: float) -> list[Span]:
    """Every span of every trace that the capstone was at since then and until now; returns when no more of them come. Beat never rests."""
    found: dict[tuple[str, str], Span] = {}
    now = time.time()
    with forwarded(runtime.kubectl, "traces", 16686) as address, httpx.Client(base_url=address, timeout=120) as http:

        def complete() -> bool:
            before, at = len(found), since
            found.clear()
            while at < now:
                query = {
                    "service": runtime.capstone,
                    "start": str(int(at * 1e6)),
                    "end": str(int(min(at + SLICE_SECONDS, now) * 1e6)),
                    "limit": str(MOST_TRACES),
                }
                answer = http.get("/api/traces", params=query).raise_for_status().json()["data"]
                assert len(answer) < MOST_TRACES
                found.update(((span.trace, span.id), span) for trace in answer for span in traces.of_jaeger(trace))
                at += SLICE_SECONDS
            return bool(found) and len(found) == before

        assert until(complete, within_seconds=COME_SECONDS, every_seconds=2.0), "spans come and come"
    return list(found.values())


@pytest.fixture(scope="module")
def watched(installation: Installation) -> Iterator[Installation]:
    """The platform with collector and Jaeger, and the orders that send them every span; afterwards as it was."""
    extra = (*installation.extra, *WHOLE, *ENDPOINT)
    wanted = replace(installation, overlay=str(OVERLAY), extra=extra)
    try:
        install.deploy(replace(wanted, extra=(*extra, *RECYCLED)), ["orders"], tell)
        yield wanted
    finally:
        install.deploy(installation, ["orders"], tell)


@pytest.fixture(scope="module")
def told(watched: Installation) -> Told:
    """Orders of every kind, each at its end, and their spans."""
    runtime = KubernetesRuntime(watched.namespace, watched.tag, capstone="orders")
    since = time.time()
    with opened(runtime, tell) as shop:
        for kind in KINDS:
            began = time.monotonic()
            getattr(shop, kind)(STORIES)
            tell(f"{kind}: {len(shop.kinds[kind])} orders in {time.monotonic() - began:.0f} s")
        kinds = shop.kinds
    found = Told(kinds, jaeger(runtime, since))
    if keep := os.environ.get("STORIES_KEPT"):
        Path(keep).write_text(json.dumps({"kinds": kinds, "spans": [asdict(span) for span in found.spans]}))
    for line in table(found):
        tell(line)
    return found


def table(told: Told) -> Iterator[str]:
    """What was found of each kind, as lines for a document."""
    yield "| kind | orders | spans an order | of its own trace | traces | unexplained |"
    yield "|---|---|---|---|---|---|"
    for kind, orders in told.kinds.items():
        every = [told.stories[one] for one in orders if one in told.stories]
        if every:
            most, fewest = max(map(len, every)), min(map(len, every))
            own = max(len(told.own(one)) for one in orders)
            apart = max(len({span.trace for span in story}) for story in every)
            gap = max(map(unexplained, every))
            yield f"| {kind} | {len(every)} | {fewest} to {most} | {own} | {apart} | {gap:.1%} |"
    names = Counter(span.name.partition(" ")[0] for span in told.spans)
    yield f"{len(told.spans)} spans of {len({span.trace for span in told.spans})} traces: {dict(names)}"


def brief(wrong: list[Any]) -> str:
    """How many there are, and the first of them."""
    return f"{len(wrong)}: {wrong[:5]}"


def test_what_jaeger_has_of_orders_is_what_the_registry_says_both_ways(told: Told) -> None:
    wrong = against_registry(told.spans, entry_of_order)

    assert not wrong, brief(wrong)
    seen = {entry_of_order(span) for span in told.spans}
    assert {name for name, entry in REGISTRY["spans"].items() if "orders" in entry["of"]} == seen


def test_probes_and_scrapes_make_no_traces(told: Told) -> None:
    assert [] == [span.name for span in told.spans if "health" in span.name or "metrics" in span.name]


@pytest.mark.parametrize("kind", ["smooth", "declined"])
def test_an_order_that_ends_at_once_has_exactly_these_spans(told: Told, kind: str) -> None:
    other = {
        one: got - want + (want - got)
        for one in told.kinds[kind]
        if (got := shape(told.stories[one])) != (want := SHAPES[kind])
    }

    assert not other, brief(list(other.items()))
    assert len(told.kinds[kind]) >= STORIES


def steps_of(told: Told, order_id: str, step: str) -> list[Span]:
    """The attempts at a step of an order, in any trace."""
    return [span for span in told.stories.get(order_id, ()) if span.name == f"process orders.{step}"]


def test_each_attempt_that_failed_is_red_and_so_is_its_call(told: Told) -> None:
    def complete(order_id: str) -> bool:
        attempts = steps_of(told, order_id, "buy_label")
        failed = [span for span in attempts if span.failed]
        above = {span.id for span in failed}
        calls = {span.parent for span in told.stories[order_id] if span.failed and span.name == "POST /shipments"}
        numbers = {int(span.attributes["attempt"]) for span in failed}
        done = [span for span in attempts if span.attributes["outcome"] == "done"]
        return {*range(1, RETRIES + 1)} <= numbers and calls == above and len(done) == 1

    wrong = [one for one in told.kinds["retried"] if not complete(one)]
    assert not wrong, brief(wrong)
    assert len(told.kinds["retried"]) >= STORIES


def test_the_next_attempt_tells_of_the_one_that_died(told: Told) -> None:
    def complete(order_id: str) -> bool:
        attempts = steps_of(told, order_id, "take_payment")
        died = [span for span in attempts if span.attributes["outcome"] == "died"]
        after = [span for span in attempts if "previous attempt died" in {name for name, *_ in span.events}]
        return bool(died) and len(died) == len(after) and all(span.failed for span in died)

    wrong = [one for one in told.kinds["killed"] if not complete(one)]
    assert not wrong, brief(wrong)
    assert len(told.kinds["killed"]) >= STORIES


def test_a_cancellation_is_a_trace_of_its_own_linked_with_the_orders(told: Told) -> None:
    roots = {span.trace: span for span in told.spans if not span.parent and span.name == "POST /orders"}
    asked = [span for span in told.spans if span.name == "POST /orders/{order_id}/cancel"]
    linked = {to for span in asked for to in span.links}

    lost = [one for one in told.kinds["cancelled"] if (own_trace(one), roots[own_trace(one)].id) not in linked]
    assert not lost, brief(lost)
    assert len(told.kinds["cancelled"]) >= STORIES


def test_what_a_restore_did_again_is_told_again(told: Told) -> None:
    once = [
        one
        for one in told.kinds["restored"]
        if len(steps_of(told, one, "hand_over")) < 1 or len({span.trace for span in told.stories[one]}) < 2
    ]

    assert not once, brief(once)
    assert len(told.kinds["restored"]) >= STORIES


@pytest.mark.parametrize("kind", [*KINDS, "beside", "not killed"])
def test_links_lead_from_every_trace_of_an_order_to_its_own(told: Told, kind: str) -> None:
    apart = {one: found for one in told.kinds[kind] if (found := traces_apart(one, told.stories[one]))}

    assert not apart, brief(list(apart.items()))


@pytest.mark.parametrize("kind", [*KINDS, "beside", "not killed"])
def test_no_order_has_more_spans_than_a_person_reads(told: Told, kind: str) -> None:
    most = MOST_SPANS_SMOOTH if kind == "smooth" else MOST_SPANS
    many = {one: len(told.stories[one]) for one in told.kinds[kind] if len(told.stories[one]) > most}

    assert not many, brief(list(many.items()))


# Not of those beside whom a worker was killed: what ended in the second before is lost with it.
@pytest.mark.parametrize("kind", [*KINDS, "beside"])
def test_an_orders_time_is_explained(told: Told, kind: str) -> None:
    shares = {one: unexplained(told.stories[one]) for one in told.kinds[kind]}
    wide = {one: share for one, share in shares.items() if share >= MOST_UNEXPLAINED}

    assert not wide, brief(list(wide.items()))
