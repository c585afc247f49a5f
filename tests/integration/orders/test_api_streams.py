"""Event streams over a real server: they follow, resume, end, and do not hold up the end of the process."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from orders.adapters.intake_store import PostgresIntakeStore
from orders.domain.saga import Parcel, Payment, Saga, State, Stock
from orders.ports import Event
from orders.settings import Settings
from servers import die_with_parent, free_port, listens, wait_until

Shop = Any
Told = dict[str, Any]
DELIVERED = Saga(State.DELIVERED, Stock.SHIPPED, Payment.CAPTURED, Parcel.HANDED_OVER, delivered=True)


@dataclass
class Served:
    """A process of the API."""

    process: subprocess.Popen[bytes]
    url: str

    @contextmanager
    def stream(self, order_id: str, *, token: str = "ann-token", last: int | None = None) -> Iterator[Iterator[Told]]:
        """The events of an order as they come."""
        headers = {"Authorization": f"Bearer {token}"} | ({} if last is None else {"Last-Event-ID": str(last)})
        path = f"{self.url}/orders/{order_id}/events"
        with httpx.stream("GET", path, headers=headers, timeout=20, trust_env=False) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Told]:
    """Events as a browser reads them; a comment is `{"comment": …}`."""
    told: Told = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            told[name or "comment"] = value.strip()
        elif told:
            yield told
            told = {}


@contextmanager
def serving(settings: Settings, **environment: str) -> Iterator[Served]:
    """A process of the API over the shop's database."""
    port = free_port()
    told = {
        "DATABASE_URL": settings.database_url,
        "BROKER_URL": settings.broker_url,
        "API_TOKENS": settings.tokens(),
        "PORT": str(port),
        **environment,
    }
    command = [sys.executable, "-m", "chassis.serve", "orders.app"]
    process = subprocess.Popen(command, env={**os.environ, **told}, preexec_fn=die_with_parent)
    try:
        wait_until(lambda: listens(port), what="the API", seconds=60)
        yield Served(process, f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    """One process for the tests that leave it running."""
    with serving(settings) as server:
        yield server


def note(shop: Shop, order_id: str, kind: str) -> None:
    with PostgresIntakeStore(shop.engine).begin() as tx:
        tx.note([Event(order_id, kind, {})])


def test_a_stream_tells_what_was_and_what_comes(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    with served.stream(order_id) as told:
        kinds = [next(told)["retry"], next(told)["event"]]
        note(shop, order_id, "later")
        kinds.append(next(told)["event"])

    assert kinds == ["1000", "placed", "later"]


def test_a_stream_resumes_behind_the_last_event(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    note(shop, order_id, "second")
    with served.stream(order_id) as told:
        next(told)
        first = int(next(told)["id"])
    with served.stream(order_id, last=first) as told:
        next(told)
        resumed = next(told)

    assert resumed["event"] == "second"


def test_a_stream_ends_when_nothing_can_follow(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    shop.become(order_id, DELIVERED)
    with served.stream(order_id) as told:
        last = list(told)[-1]

    assert (last["event"], json.loads(last["data"])) == ("end", {"reason": "final", "state": "delivered"})


def test_a_stream_resumed_after_everything_ends_at_once(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    shop.become(order_id, DELIVERED)
    with served.stream(order_id, last=2**63 - 1) as told:
        kinds = [event.get("event") for event in told]

    assert kinds == [None, "end"]


def test_a_long_past_is_told_in_full_before_the_end(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    shop.run(
        "INSERT INTO timeline (order_id, kind) SELECT CAST(:id AS uuid), 'x' FROM generate_series(1, 450)", id=order_id
    )
    shop.become(order_id, DELIVERED)
    with served.stream(order_id) as told:
        kinds = [event.get("event") for event in told]

    assert kinds == [None, "placed", *["x"] * 450, "end"]


def test_sigterm_ends_open_streams_and_the_process(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    with serving(shop.settings) as server:
        with server.stream(order_id) as told:
            next(told), next(told)
            server.process.send_signal(signal.SIGTERM)
            last = next(told)
        code = server.process.wait(5)

    assert (json.loads(last["data"])["reason"], code) == ("draining", 0)


def test_streams_beyond_the_limit_are_503_and_a_closed_one_makes_room(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    headers = {"Authorization": "Bearer ann-token"}

    def status(url: str) -> int:
        with httpx.stream("GET", url, headers=headers, timeout=20, trust_env=False) as answer:
            return answer.status_code

    with serving(shop.settings, EVENT_STREAMS_LIMIT="1") as server:
        url = f"{server.url}/orders/{order_id}/events"
        with server.stream(order_id) as told:
            next(told)
            full = httpx.get(url, headers=headers, timeout=20, trust_env=False)
        wait_until(lambda: status(url) == 200, what="the place to be free again")

    assert (full.status_code, full.headers["retry-after"]) == (503, "5")
