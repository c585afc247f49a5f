"""What orders tell in their traces: how those of one that ends at once look, what any may hold, and which of its time nothing explains."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from told_spans import Told

MOST_SPANS_SMOOTH, MOST_SPANS = 30, 60
"""Of an order that goes well, and of any: the spans that name it, with the calls below them."""

CALLBACKS = 2
"""Of a parcel: it is in transit, it is delivered."""

LONG_WAIT_SECONDS = 20.0

MOST_UNEXPLAINED = 0.05
"""Of an order's time."""

Shape = Counter[tuple[str, str, int, str, bool]]
"""How often each: parent, name, attempt, outcome, red."""

CALLS = {
    "take_payment": "POST /charges",
    "buy_label": "POST /shipments",
    "hand_over": "POST /shipments/{id}/handover",
    "refund_payment": "POST /charges/{id}/reverse",
}


def steps(*names: str) -> Shape:
    """What steps that end at once look like."""
    found: Shape = Counter()
    for name in names:
        task = f"orders.{name}"
        found["POST /orders", f"wait {task}", 1, "", False] += 1
        found["POST /orders", f"process {task}", 1, "done", False] += 1
        if name in CALLS:
            found[f"process {task}", CALLS[name], 0, "", False] += 1
    return found


ROOT: Shape = Counter({("", "POST /orders", 0, "", False): 1})
SHAPES = {
    "smooth": ROOT + steps("reserve_stock", "take_payment", "buy_label", "hand_over"),
    "declined": ROOT + steps("reserve_stock", "take_payment", "release_stock"),
}


def shape(spans: Sequence[Told]) -> Shape:
    """Of the spans of an order, without mails and what the carrier told.

    A wait of more than 20 s begins a trace, and what follows lies below it: it counts as if it lay where it would without.
    """
    mine = {(span.trace, span.id): span for span in spans}

    def above(span: Told) -> str:
        parent = mine.get((span.trace, span.parent))
        late = (
            parent.name.startswith("wait ")
            if parent
            else span.name.startswith("wait ") and span.seconds > LONG_WAIT_SECONDS
        )
        return "POST /orders" if late else parent.name if parent else ""

    return Counter(
        (
            above(span),
            span.name,
            int(span.attributes.get("attempt", 0)),
            str(span.attributes.get("outcome", "")),
            span.failed,
        )
        for span in spans
        if "mail" not in span.name and "SMTP" not in span.name and "callbacks" not in span.name
    )


def own_trace(order_id: str) -> str:
    """The id of the order's own trace."""
    return uuid.UUID(order_id).hex


def stories(spans: Sequence[Told]) -> dict[str, list[Told]]:
    """By order, the spans of any trace that name it, and the calls below these."""
    named = {(span.trace, span.id): str(span.attributes["order.id"]) for span in spans if "order.id" in span.attributes}
    found: dict[str, list[Told]] = defaultdict(list)
    for span in spans:
        order_id = named.get((span.trace, span.id)) or named.get((span.trace, span.parent))
        if order_id:
            found[order_id].append(span)
    return found


def traces_apart(order_id: str, story: Sequence[Told]) -> set[str]:
    """The traces of an order's story from which no link, over whatever others of it, leads to the order's own."""
    joined = {own_trace(order_id)}
    left = {span.trace for span in story} - joined
    while near := {span.trace for span in story for to, _ in span.links if span.trace in left and to in joined}:
        joined |= near
        left -= near
    return left


def unexplained(story: Sequence[Told]) -> float:
    """Which share of an order's time, from its first span to its last, nothing explains.

    A span does, and so does the pause that an attempt asked for. While the carrier has the parcel, nobody else has anything to do for the
    order: this is no part of its time.
    """
    began, ended = min(span.began for span in story), max(span.began + span.seconds for span in story)
    ours = length(chain(_spans(story), _pauses(story)))
    gaps = ended - began - length(chain(_spans(story), _pauses(story), _ways(story)))
    return gaps / (ours + gaps) if gaps > 0 else 0.0


def length(intervals: Iterable[tuple[float, float]]) -> float:
    """Of their union."""
    total, until = 0.0, float("-inf")
    for began, ended in sorted(intervals):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total


def _spans(story: Sequence[Told]) -> Iterator[tuple[float, float]]:
    for span in story:
        yield span.began, span.began + span.seconds


def _pauses(story: Sequence[Told]) -> Iterator[tuple[float, float]]:
    for span in story:
        if "retry.after_seconds" in span.attributes:
            ended = span.began + span.seconds
            yield ended, ended + float(span.attributes["retry.after_seconds"])


def _ways(story: Sequence[Told]) -> Iterator[tuple[float, float]]:
    arrived = sorted(span.began for span in story if span.name == "POST /callbacks/carrier")
    for span in story:
        if span.name == "process orders.hand_over" and span.attributes.get("outcome") == "done":
            for at in [at for at in arrived if at > span.began][:CALLBACKS]:
                yield span.began, at
