"""What a platform that keeps its spans tells of the analytics' requests and of the trading's orders, and that it names nobody.

The platform is a real one with both capstones; its own store of spans is the witness, observability/registry.yaml the law.
"""

import json
import socket
import sqlite3
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.servers import rabbitmq
from conductor.laptop.trace_store import Row, spans_of
from conductor.run_directory import RunDirectory
from server_fixtures import missing
from servers import wait_until
from told_spans import REGISTRY, against_registry, capstone, entry_of_batch_or_input, unrouted

pytestmark = [pytest.mark.integration, pytest.mark.drill, pytest.mark.timeout(300)]

MARKER = "Quillfeather"
"""In whatever a client may write; nowhere else."""
MAIL = f"{MARKER}@customer.example"
KEY = f"{MARKER}-request-1"
RESTING, TAKING, REFUSED, CANCELLED = 1, 2, 3, 4
"""Client ids."""


@dataclass
class Told:
    """A platform that has ended its work; `orders` are numbers by what was done to them."""

    run: RunDirectory
    orders: dict[str, int]
    spans: list[Row]

    def of(self, story: str) -> list[Row]:
        """The spans that name an order."""
        return [span for span in self.spans if span.attributes.get("order.id") == str(self.orders[story])]


def call(runtime: LocalRuntime, method: str, path: str, **asked: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {runtime.tokens()['customer']}", **asked.pop("headers", {})}
    return httpx.request(method, runtime.addresses()["api"] + path, headers=headers, timeout=30, **asked)


def counted(runtime: LocalRuntime) -> None:
    """Two requests with events whose every text is a person's, and some that are refused."""
    event = {"id": f"{MARKER}-e", "user": MAIL, "content": MARKER, "kind": "like", "topics": [MARKER], "at_ms": 1}
    for key in (KEY, f"{KEY}-again"):
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        bad = [{**event, "kind": MARKER}, {**event, MARKER: MARKER}, MARKER]
        answer = call(runtime, "POST", "/events", json=[event, *bad], headers=headers).raise_for_status().json()
        assert (2, 2) == (answer["accepted"], len(answer["refused"]))
    headers = {"Idempotency-Key": KEY, "Content-Type": MARKER}
    assert 415 == call(runtime, "POST", "/events", content=MARKER, headers=headers).status_code
    assert (
        400
        == call(runtime, "POST", "/events", json=[], headers={"Idempotency-Key": f"{MARKER} ü".encode()}).status_code
    )
    call(runtime, "GET", f"/users/{MAIL}")
    call(runtime, "GET", f"/contents/{MARKER}", params={"day": MARKER})


def traded(runtime: LocalRuntime) -> dict[str, int]:
    """Orders of every kind, by their numbers."""

    def place(client_id: int, side: str, quantity: int, account: int = 1) -> httpx.Response:
        order = {"account": account, "symbol": "AAPL", "side": side, "price": "100.00", "quantity": quantity}
        return call(runtime, "POST", "/orders", json={"client_id": client_id, **order})

    resting = place(RESTING, "buy", 10).raise_for_status().json()["order_id"]
    executed = place(TAKING, "sell", 4, account=2).raise_for_status().json()["outcomes"][-1]["order_id"]
    assert 422 == place(REFUSED, "buy", 10**9).status_code
    call(runtime, "DELETE", f"/orders/{RESTING}", params={"client_id": CANCELLED}).raise_for_status()
    for order in ({"symbol": MARKER}, {"symbol": "AAPL", "price": MAIL}, {MARKER: MARKER}):
        full = {"client_id": 9, "account": 1, "symbol": "AAPL", "side": "buy", "price": "1.00", "quantity": 1, **order}
        assert 422 == call(runtime, "POST", "/orders", json=full).status_code
    assert 422 == call(runtime, "GET", f"/books/{MARKER}").status_code
    logon = f"8=FIX.4.4|9=0|35=A|49={MARKER}|56=VENUE|553={MAIL}|554={MARKER}|58={MARKER}|10=000|".replace("|", "\x01")
    fix = urlsplit(runtime.addresses()["fix"])
    with socket.create_connection((fix.hostname, fix.port), timeout=10) as connection:
        connection.sendall(logon.encode())
        connection.settimeout(10)
        connection.recv(4096)
    return {"resting": resting, "taking": executed}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    if not rabbitmq.installed():
        missing("rabbitmq-server")
    run = RunDirectory(tmp_path_factory.mktemp("stories") / "run")
    try:
        capstone(run, "up", "--broker", "rabbitmq", "--observe", "analytics", "trading")
        analytics, trading = (LocalRuntime.running(run, name) for name in ("analytics", "trading"))
        counted(analytics)
        orders = traded(trading)
        found: list[Row] = []

        def complete() -> bool:
            before, found[:] = len(found), spans_of(run.traces)
            names = Counter(span.name for span in found)
            return len(found) == before and bool(names["apply cancel"] and names["process analytics.aggregate"])

        wait_until(complete, what="spans that come no more", seconds=60, poll_seconds=1.5)
        yield Told(run, orders, found)
    finally:
        capstone(run, "down")


def test_what_is_told_is_what_the_registry_says_both_ways(told: Told) -> None:
    assert [] == against_registry(told.spans, entry_of_batch_or_input, nameless=unrouted)
    wanted = {name for name, entry in REGISTRY["spans"].items() if {"analytics", "trading"} & set(entry["of"])}
    assert wanted == {entry_of_batch_or_input(span) for span in told.spans}


def test_a_request_leads_to_its_batch_and_to_the_flush_into_the_counters(told: Told) -> None:
    tree = json.loads(capstone(told.run, "trace", KEY, "--json"))

    names = Counter(line["name"] for line in tree)
    assert {"POST /events": 2, "send analytics.aggregate": 1, "process analytics.aggregate": 1} == {
        name: number for name, number in names.items() if "archive" not in name
    }
    assert MARKER not in json.dumps(tree)
    for span in told.spans:
        if span.name == "process analytics.aggregate":
            assert 0 < len(span.links) <= span.attributes["messaging.batch.message_count"]


def test_an_order_leads_from_the_request_over_the_engine_to_the_positions(told: Told) -> None:
    own = next(span for span in told.of("resting") if span.name == "engine new" and not span.links)
    later = [span for span in told.of("resting") if span.name.startswith("engine") and span.links]
    (asked,) = [span for span in told.of("resting") if span.name == "POST /orders"]

    assert "acknowledged" == own.attributes["outcome"]
    assert {("engine new", "executed"), ("engine cancel", "cancelled")} == {
        (span.name, span.attributes["outcome"]) for span in later
    }
    assert [(own.trace, own.id)] == list(asked.links)
    assert all((own.trace, own.id) in span.links for span in later)
    (taking,) = [span for span in told.of("taking") if span.name == "engine new"]
    assert "acknowledged,executed" == taking.attributes["outcome"]
    assert {(own.trace, own.id), (taking.trace, taking.id)} in [set(span.links) for span in later]


def test_nothing_lies_between_the_engine_and_the_positions_but_the_wait(told: Told) -> None:
    for engine in [span for span in told.spans if span.name.startswith("engine ")]:
        wait, applied = sorted(
            (span for span in told.spans if span.parent == engine.id), key=lambda span: not span.name.startswith("wait")
        )
        assert abs(engine.began - wait.began) < 1e-6
        assert abs(wait.began + wait.seconds - applied.began) < 1e-3


def test_a_person_sees_an_order_by_its_number(told: Told, tmp_path: Path) -> None:
    number, written = str(told.orders["resting"]), tmp_path / "order.html"

    tree = capstone(told.run, "trace", number)
    capstone(told.run, "trace", number, "--capstone", "trading", "--html", str(written))

    names = ("POST /orders", "engine new", "wait trading.portfolio", "apply new", "engine cancel")
    for shown in (tree, written.read_text()):
        assert [] == [name for name in names if name not in shown]
    assert f"Order {number}" in written.read_text()


def test_nothing_that_is_kept_names_a_client(told: Told) -> None:
    with closing(sqlite3.connect(told.run.traces)) as database:
        spans = "\n".join(database.iterdump())
    logs = "\n".join(path.read_text(errors="replace") for path in told.run.logs.glob("*.log"))
    targets = [json.loads(file.read_text())[0]["targets"][0] for file in told.run.targets.glob("*.json")]
    shown = "\n".join(urllib.request.urlopen(f"http://{one}/metrics", timeout=10).read().decode() for one in targets)

    assert "POST /events" in spans
    assert 'route="/events"' in shown
    for kept in (spans, logs, shown):
        assert [] == [line[:300] for line in kept.splitlines() if MARKER.lower() in line.lower()]
