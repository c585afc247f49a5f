"""What a real Jaeger behind a real collector has of orders of every kind.

observability/registry.yaml is the law, as it is for a platform on one machine (tests/integration/conductor/test_order_stories.py).
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from order_kinds import RETRIES, opened
from playing import played_with
from watching import STORIES, brief, jaeger, judged, tell, watched

from conductor.cluster.installation import Installation
from conductor.harness.traces import Span
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
from told_spans import entries_of, entry_of_order, linked_and_lost, of_probes

pytestmark = [pytest.mark.timeout(3600 + 60 * STORIES), played_with(1)]

KINDS = ("smooth", "declined", "retried", "killed", "cancelled", "restored")
LOST_BY_A_KILL = 16
"""What ended in the last second before it: of each of two children eight calls at a time."""

PLAYED = tuple(os.environ.get("STORIES_OF", " ".join(KINDS)).split())
"""Which of these are played: all take long on a busy machine where there are many of each."""


@dataclass
class Told:
    """Orders by their kind, and what Jaeger has of the service since the first of them."""

    kinds: dict[str, list[str]]
    spans: list[Span]
    wrong: list[tuple[Any, ...]]
    """Which differ from the registry, links to `lost` left out."""
    lost: set[tuple[str, str]]
    """What spans are linked with and nobody sent."""
    kills: int
    stories: dict[str, list[Span]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stories = stories(self.spans)

    def orders(self, kind: str) -> list[str]:
        """Those of a kind; skips the test where none were to be played."""
        if kind not in self.kinds:
            pytest.skip(f"STORIES_OF names {' '.join(PLAYED)}")
        return self.kinds[kind]

    def own(self, order_id: str) -> list[Span]:
        """The spans of the order's own trace."""
        return [span for span in self.stories.get(order_id, ()) if span.trace == own_trace(order_id)]


@pytest.fixture(scope="module")
def told(installation: Installation) -> Told:
    """Orders of every kind, each at its end, and their spans."""
    with watched(installation, "orders", *installation.extra) as runtime:
        since = time.time()
        with opened(runtime, tell) as shop:
            for kind in PLAYED:
                began = time.monotonic()
                getattr(shop, kind)(STORIES)
                tell(f"{kind}: {len(shop.kinds[kind])} orders in {time.monotonic() - began:.0f} s")
            kinds, kills = shop.kinds, shop.kills
        spans = jaeger(runtime, since)
        lost = linked_and_lost(spans)
        there = [replace(span, links=tuple(to for to in span.links if to not in lost)) for span in spans]
        found = Told(kinds, spans, judged("orders", there, entry_of_order, kinds=kinds), lost, kills)
    tell(f"linked and lost: {len(lost)} spans, in {kills} kills")
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


def test_what_jaeger_has_of_orders_is_what_the_registry_says_both_ways(told: Told) -> None:
    assert not told.wrong, brief(told.wrong)
    assert entries_of("orders") == {entry_of_order(span) for span in told.spans}


def test_nothing_is_lost_but_what_ended_just_before_a_kill(told: Told) -> None:
    assert len(told.lost) <= LOST_BY_A_KILL * told.kills, brief(sorted(told.lost))


def test_probes_and_scrapes_make_no_traces(told: Told) -> None:
    assert [] == of_probes(told.spans)


@pytest.mark.parametrize("kind", ["smooth", "declined"])
def test_an_order_that_ends_at_once_has_exactly_these_spans(told: Told, kind: str) -> None:
    other = {
        one: got - want + (want - got)
        for one in told.orders(kind)
        if (got := shape(told.stories[one])) != (want := SHAPES[kind])
    }

    assert not other, brief(list(other.items()))
    assert len(told.orders(kind)) >= STORIES


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

    wrong = [one for one in told.orders("retried") if not complete(one)]
    assert not wrong, brief(wrong)
    assert len(told.orders("retried")) >= STORIES


def test_the_next_attempt_tells_of_the_one_that_died(told: Told) -> None:
    def complete(order_id: str) -> bool:
        attempts = steps_of(told, order_id, "take_payment")
        died = [span for span in attempts if span.attributes["outcome"] == "died"]
        after = [span for span in attempts if "previous attempt died" in {name for name, *_ in span.events}]
        return bool(died) and len(died) == len(after) and all(span.failed for span in died)

    wrong = [one for one in told.orders("killed") if not complete(one)]
    assert not wrong, brief(wrong)
    assert len(told.orders("killed")) >= STORIES


def test_a_cancellation_is_a_trace_of_its_own_linked_with_the_orders(told: Told) -> None:
    roots = {span.trace: span for span in told.spans if not span.parent and span.name == "POST /orders"}
    asked = [span for span in told.spans if span.name == "POST /orders/{order_id}/cancel"]
    linked = {to for span in asked for to in span.links}

    lost = [one for one in told.orders("cancelled") if (own_trace(one), roots[own_trace(one)].id) not in linked]
    assert not lost, brief(lost)
    assert len(told.orders("cancelled")) >= STORIES


def test_what_a_restore_did_again_is_told_again(told: Told) -> None:
    once = [
        one
        for one in told.orders("restored")
        if len(steps_of(told, one, "hand_over")) < 1 or len({span.trace for span in told.stories[one]}) < 2
    ]

    assert not once, brief(once)
    assert len(told.orders("restored")) >= STORIES


@pytest.mark.parametrize("kind", [*KINDS, "beside", "not killed"])
def test_links_lead_from_every_trace_of_an_order_to_its_own(told: Told, kind: str) -> None:
    apart = {one: found for one in told.orders(kind) if (found := traces_apart(one, told.stories[one]))}

    assert not apart, brief(list(apart.items()))


@pytest.mark.parametrize("kind", [*KINDS, "beside", "not killed"])
def test_no_order_has_more_spans_than_a_person_reads(told: Told, kind: str) -> None:
    most = MOST_SPANS_SMOOTH if kind == "smooth" else MOST_SPANS
    many = {one: len(told.stories[one]) for one in told.orders(kind) if len(told.stories[one]) > most}

    assert not many, brief(list(many.items()))


# Not of those beside whom a worker was killed: what ended in the second before is lost with it.
@pytest.mark.parametrize("kind", [*KINDS, "beside"])
def test_an_orders_time_is_explained(told: Told, kind: str) -> None:
    shares = {one: unexplained(told.stories[one]) for one in told.orders(kind)}
    wide = {one: share for one, share in shares.items() if share >= MOST_UNEXPLAINED}

    assert not wide, brief(list(wide.items()))
