"""What a platform that keeps its spans tells of orders: one that goes well, one declined, retried, cancelled, one whose worker was killed.

The platform is a real one, started as `make up OBSERVE=1` does; its own store of spans is the witness, observability/registry.yaml the law.
"""

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from conductor.harness import dependency_faults
from conductor.harness.alert_faults import CLOCK
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.servers import rabbitmq
from conductor.laptop.trace_store import Row, spans_of, traces_of
from conductor.run_directory import RunDirectory
from conductor.runtime import Change
from server_fixtures import missing
from servers import wait_until
from told_orders import (
    MOST_SPANS,
    MOST_SPANS_SMOOTH,
    MOST_UNEXPLAINED,
    SHAPES,
    Shape,
    shape,
    stories,
    traces_apart,
    unexplained,
)
from told_spans import REGISTRY, against_registry, capstone, entry_of_order

pytestmark = [pytest.mark.integration, pytest.mark.drill, pytest.mark.timeout(300)]

STRANGER = f"00-{'ab' * 16}-{'cd' * 8}-01"
MARKER = "Quillfeather"
"""In everything that is a customer's; nowhere else."""


@dataclass
class Told:
    """A platform that has ended its work, and its orders by what was done to them."""

    run: RunDirectory
    orders: dict[str, str]
    spans: list[Row]

    def of(self, story: str) -> list[Row]:
        """The spans of an order's own trace."""
        return [span for span in self.spans if span.trace == uuid.UUID(self.orders[story]).hex]

    def shape(self, story: str) -> Shape:
        """Of the order's own trace."""
        return shape(self.of(story))


@dataclass
class Desk:
    """Places orders, and looks at them."""

    runtime: LocalRuntime

    def call(self, method: str, path: str, **asked: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.runtime.tokens()['operator']}", **asked.pop("headers", {})}
        return httpx.request(method, self.runtime.addresses()["api"] + path, headers=headers, timeout=30, **asked)

    def place(self, card: str = "tok_ok", **headers: str) -> str:
        order = {
            "customer": f"{MARKER}-customer",
            "lines": [{"sku": "CD", "quantity": 1}],
            "email": f"{MARKER}@customer.example",
            "name": f"{MARKER} Name",
            "address": {"street": f"{MARKER} Street 1", "city": MARKER, "postcode": f"{MARKER}-10115", "country": "DE"},
            "card": card,
        }
        key = {"Idempotency-Key": str(uuid.uuid4())}
        answer = self.call("POST", "/orders", json=order, headers={**key, **headers}).raise_for_status()
        return str(answer.json()["order_id"])

    def order(self, order_id: str) -> Any:
        return self.call("GET", f"/orders/{order_id}").raise_for_status().json()

    def ends(self, order_id: str, state: str) -> None:
        wait_until(lambda: self.order(order_id)["state"] == state, what=f"{order_id} to be {state}", seconds=90)

    def waits(self, order_id: str, task: str, condition: Callable[[Any], bool]) -> None:
        """Until the order's command for this task is as wanted."""
        wait_until(
            lambda: any(one["task"] == task and condition(one) for one in self.order(order_id)["waiting"]),
            what=f"{task} of {order_id}",
            seconds=60,
            poll_seconds=0.05,
        )


def lived(desk: Desk) -> dict[str, str]:
    """Orders of every kind, each at its end."""
    orders = {"smooth": desk.place(traceparent=STRANGER), "declined": desk.place("tok_declined")}
    for path in ("/health/live", "/health/ready", "/metrics"):
        desk.call("GET", path)
    desk.ends(orders["declined"], "failed")
    desk.ends(orders["smooth"], "delivered")
    runtime = desk.runtime
    with dependency_faults.faults(runtime, "carrier", {"rate": {"server_error": 1.0}}):
        orders |= {"retried": desk.place(), "cancelled": desk.place()}
        for story in ("retried", "cancelled"):
            desk.waits(orders[story], "orders.buy_label", lambda command: command["failures"] >= 2)
        desk.call("POST", f"/orders/{orders['cancelled']}/cancel").raise_for_status()
    with dependency_faults.faults(runtime, "payments", {"rate": {"slow": 1.0}, "slow_seconds": 2.5}):
        orders["killed"] = desk.place()
        desk.waits(orders["killed"], "orders.take_payment", lambda command: command["attempts"] == 1)
        runtime.kill("payments")
        desk.waits(orders["killed"], "orders.take_payment", lambda command: command["attempts"] == 2)
    with dependency_faults.faults(runtime, "mail", {"rate": {"reject": 1.0}}):
        orders["unmailed"] = desk.place()
        desk.waits(orders["unmailed"], "orders.send_mail", lambda command: bool(command["last_error"]))
    ends = {"declined": "failed", "cancelled": "cancelled"}
    for story, order_id in orders.items():
        desk.ends(order_id, ends.get(story, "delivered"))
        if story != "unmailed":
            wait_until(lambda i=order_id: not desk.order(i)["waiting"], what=f"the mails of {order_id}", seconds=60)
    return orders


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    if not rabbitmq.installed():
        missing("rabbitmq-server")
    run = RunDirectory(tmp_path_factory.mktemp("stories") / "run")
    try:
        capstone(run, "up", "--broker", "rabbitmq", "--observe")
        orders = lived(Desk(LocalRuntime.running(run)))
        # A span is sent within a second of its end; the last ones are those of the last mails.
        found: list[Row] = []

        def complete() -> bool:
            before, found[:] = len(found), spans_of(run.traces)
            return len(found) == before

        wait_until(complete, what="spans that come no more", seconds=30, poll_seconds=2.0)
        yield Told(run, orders, found)
    finally:
        capstone(run, "down")


def test_what_is_told_is_what_the_registry_says_both_ways(told: Told) -> None:
    assert [] == against_registry(told.spans, entry_of_order, outside={("ab" * 16, "cd" * 8)})
    seen = {entry_of_order(span) for span in told.spans}
    assert {name for name, entry in REGISTRY["spans"].items() if "orders" in entry["of"]} == seen


def test_an_order_that_goes_well(told: Told) -> None:
    assert SHAPES["smooth"] == told.shape("smooth")
    assert len(told.of("smooth")) <= MOST_SPANS_SMOOTH


def test_every_orders_story_is_joined_short_and_explained(told: Told) -> None:
    found = stories(told.spans)

    assert set(told.orders.values()) == set(found)
    assert {} == {order: apart for order, story in found.items() if (apart := traces_apart(order, story))}
    assert {} == {order: len(story) for order, story in found.items() if len(story) > MOST_SPANS}
    assert {} == {order: share for order, story in found.items() if (share := unexplained(story)) >= MOST_UNEXPLAINED}


def test_a_declined_charge_is_no_failed_call(told: Told) -> None:
    assert SHAPES["declined"] == told.shape("declined")
    (charge,) = [span for span in told.of("declined") if span.name == "process orders.take_payment"]
    assert "refused" == charge.attributes["order.result"]


@pytest.mark.parametrize("story", ["retried", "cancelled"])
def test_each_attempt_that_failed_is_red_and_so_is_its_call(told: Told, story: str) -> None:
    failed = [span for span in told.of(story) if span.name == "process orders.buy_label" and span.failed]

    assert {("retry", 1), ("retry", 2)} <= {(s.attributes["outcome"], s.attributes["attempt"]) for s in failed}
    calls = [span for span in told.of(story) if span.parent in {one.id for one in failed}]
    assert {("POST /shipments", True, 500)} == {
        (c.name, c.failed, c.attributes["http.response.status_code"]) for c in calls
    }


def test_a_retried_order_goes_on_in_its_own_trace(told: Told) -> None:
    done = {key[1:4] for key in told.shape("retried")}

    assert {("process orders.hand_over", 1, "done")} <= done
    assert 1 == sum(name == "process orders.buy_label" and outcome == "done" for name, _, outcome in done)


def test_a_cancellation_is_a_trace_of_its_own_linked_with_the_orders(told: Told) -> None:
    (asked,) = [span for span in told.spans if span.name == "POST /orders/{order_id}/cancel"]
    (root,) = [span for span in told.of("cancelled") if not span.parent]

    assert [(root.trace, root.id)] == list(asked.links)
    assert "process orders.refund_payment" in {span.name for span in told.of("cancelled")}


def test_the_next_attempt_tells_of_the_one_that_died(told: Told) -> None:
    first, second = [span for span in told.of("killed") if span.name == "process orders.take_payment"]

    assert ("died", True, 1) == (first.attributes["outcome"], first.failed, first.attributes["attempt"])
    assert "WorkerLostError" == first.attributes["error.type"]
    assert 2 == second.attributes["attempt"]
    assert "previous attempt died" in {name for name, *_ in second.events}
    (wait,) = [span for span in told.of("killed") if span.name == "wait orders.take_payment"]
    assert abs(wait.began + wait.seconds - first.began) < 0.01
    assert abs(first.began + first.seconds - second.began) < 0.01


def test_a_strangers_trace_is_linked_and_never_continued(told: Told) -> None:
    (root,) = [span for span in told.of("smooth") if not span.parent]

    assert [("ab" * 16, "cd" * 8)] == list(root.links)
    assert [] == [span for span in told.spans if span.trace == "ab" * 16]


def test_probes_and_scrapes_make_no_traces(told: Told) -> None:
    assert [] == [span.name for span in told.spans if "health" in span.name or "metrics" in span.name]


def test_an_orders_story_leads_from_its_id_to_every_trace_of_it(told: Told) -> None:
    story = list(traces_of(told.run.traces, "order.id", told.orders["smooth"]))

    names = {span.name for span in story}
    assert {"POST /orders", "send orders.payments", "process orders.payments", "POST /callbacks/carrier"} <= names


def test_nothing_that_is_kept_names_a_customer(told: Told) -> None:
    with closing(sqlite3.connect(told.run.traces)) as database:
        spans = "\n".join(database.iterdump())
    logs = "\n".join(path.read_text(errors="replace") for path in told.run.logs.glob("orders.*.log"))
    runtime = LocalRuntime.running(told.run)
    parked = capstone(told.run, "parked", "list", "--json")
    waiting = json.dumps(Desk(runtime).order(told.orders["unmailed"])["waiting"])

    assert "answered 4" in logs  # the mail server's words are there, which repeat the address
    for kept in (spans, logs, parked, waiting):
        assert [] == [line[:300] for line in kept.splitlines() if MARKER.lower() in line.lower()]


def test_every_line_of_a_log_is_an_object_with_what_the_registry_says(told: Told) -> None:
    lines = [line for path in told.run.logs.glob("orders.*-g*.log") for line in path.read_text().splitlines()]
    objects = [json.loads(line) for line in lines if line.startswith("{")]

    assert [] == [line[:200] for line in lines if not line.startswith("{")]
    assert [] == [one for one in objects if not set(REGISTRY["log_fields"]["always"]) <= set(one)][:3]
    assert max(map(len, lines)) <= 16 * 1024
    events = {one["event"] for one in objects}
    assert {"command_retried", "attempt_died", "step_not_done"} <= events


def test_a_person_sees_a_story_in_three_ways(told: Told, tmp_path: Path) -> None:
    order_id, written = told.orders["killed"], tmp_path / "order.html"

    tree = capstone(told.run, "trace", order_id)
    capstone(told.run, "trace", order_id, "--html", str(written))
    logged = capstone(told.run, "logs", "--order", order_id)
    explained = capstone(told.run, "order", "explain", order_id)

    for shown in (tree, written.read_text(), explained):
        assert "process orders.take_payment" in shown
        assert "died" in shown
    for shown in (logged, explained):
        assert "attempt_died" in shown


def test_clocks_that_are_wrong_make_no_wait_longer_or_less_than_nothing_and_what_they_say_is_flagged(
    told: Told,
) -> None:
    desk = Desk(runtime := LocalRuntime.running(told.run))
    wrong = {"relay": 5.0, "payments": -5.0}
    for pool, ahead in wrong.items():
        runtime.roll(pool, Change({"PYTHONPATH": str(CLOCK), "CLOCK_AHEAD_SECONDS": str(ahead)}))
    try:
        desk.ends(order := desk.place(), "delivered")
        wait_until(lambda: not desk.order(order)["waiting"], what="its mails", seconds=60)
    finally:
        for pool in wrong:
            runtime.roll(pool)  # what was not sent is, when a process ends

    spans = [span for span in spans_of(told.run.traces) if span.trace == uuid.UUID(order).hex]
    waits = [span for span in spans if span.name.startswith("wait ")]
    assert SHAPES["smooth"] == shape(spans)
    assert [] == [span for span in waits if not 0 <= span.seconds < 4]
    assert all(span.events for span in waits)
    for span in waits:
        ((_, at, attributes),) = span.events
        assert (True, True) == (span.began - 1e-3 <= at <= span.began + span.seconds + 1e-3, attributes.get("clamped"))
