"""What judges the traces of requests with events sees what is wrong with them."""

from typing import Any

import pytest

from conductor.harness.traces import Span
from told_batches import Way, uncarried, ways

SENT = {"messaging.destination.name": "analytics.aggregate"}


def span(id: str, name: str, *links: str, **attributes: str) -> Span:
    kind = {"POST": 2, "send": 4, "process": 5}[name.partition(" ")[0]]
    about = {key.replace("__", "."): value for key, value in attributes.items()}
    return Span(
        f"t{id}", id, "", name, "api", 0.0, 1.0, False, about, links=[(f"t{one}", one) for one in links], kind=kind
    )


def request(*links: str) -> Span:
    return span("r", "POST /events", *links, request__id="key")


def batch(*links: str) -> Span:
    return span("b", "send analytics.aggregate", *links)


def window(*links: str, count: int = 1) -> Span:
    return span("w", "process analytics.aggregate", *links, messaging__batch__message_count=str(count))


def test_a_request_leads_over_its_batch_to_the_window() -> None:
    assert {"key": [Way(["b"], ["w"])]} == ways([request("b"), batch("r"), window("b")])
    assert [] == uncarried([request("b"), batch("r"), window("b")])


@pytest.mark.parametrize(
    ("spans", "way"),
    [
        ([request(), batch("r"), window("b")], Way()),
        ([request("b"), window("b")], Way(lost=1)),
        ([request("b"), batch(), window("b")], Way(lost=1)),
        ([request("b"), batch("r"), window()], Way(["b"])),
        (
            [request("b"), batch("r"), window("b"), span("v", "process analytics.aggregate", "b")],
            Way(["b"], ["w", "v"]),
        ),
    ],
)
def test_a_link_that_is_missing_or_too_many_is_seen(spans: list[Span], way: Way) -> None:
    assert {"key": [way]} == ways(spans)


@pytest.mark.parametrize(
    ("spans", "names"),
    [
        ([request(), batch("r"), window("b")], ["send analytics.aggregate"]),
        ([request("b"), batch("r"), window("b", count=2)], ["process analytics.aggregate"]),
        ([request("b"), batch("r"), window()], ["process analytics.aggregate"]),
    ],
)
def test_what_is_linked_with_too_little_is_seen(spans: list[Any], names: list[str]) -> None:
    assert names == [span.name for span in uncarried(spans)]
