"""With a tenth of the traces recorded, every step that failed, was slow, waited, was parked or died is there, and what follows from it.

Workers tell of that in spans. What happened is taken from where they write none: the database's own record of every change of a command,
and proxies before the payment provider and the carrier. `ORDERS=1000` plays the size that docs/traces-and-logs.md tells of.
"""

import json
import logging
import os
import signal
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from attempts_ledger import Attempt, attempts, callbacks, watch
from call_ledger import Call, proxy
from chassis import traceparent
from conductor.capstones.orders.purchases import purchase
from conductor.harness import dependency_faults
from conductor.harness.outbox_state import OutboxState
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.servers import rabbitmq
from conductor.laptop.trace_store import Row, spans_of
from conductor.run_directory import RunDirectory
from server_fixtures import missing
from servers import wait_until
from told_spans import capstone

ORDERS = int(os.environ.get("ORDERS", "60"))
SHARE = 0.1
MAX_ATTEMPTS = 2

pytestmark = [pytest.mark.integration, pytest.mark.drill, pytest.mark.timeout(300 + ORDERS)]

log = logging.getLogger(__name__)

SLOW_SECONDS, LONG_WAIT_SECONDS = 1.0, 10.0
MOST_OPEN = 80
"""Commands that are open while further orders are placed."""
SENT_SECONDS = 1.5
"""A span that ended so long ago was sent: a kill does not take it along."""
FAULTS = {
    "payments": {
        "slow": 0.06,
        "server_error": 0.05,
        "timeout_after": 0.01,
        "server_error_after": 0.02,
        "garbled": 0.02,
    },
    "carrier": {"slow": 0.06, "server_error": 0.05, "timeout_before": 0.01, "throttle": 0.02, "garbled": 0.02},
    "mail": {"reject": 0.05, "drop_after": 0.02},
}
ANSWERS = {
    "take_payment": (200, 201, 402, 409),
    "ask_payment": (200, 404),
    "refund_payment": (200,),
    "buy_label": (200, 201),
    "hand_over": (200,),
    "void_label": (200, 409),
}
"""Each step's call, and the answers to it that are no failure."""

Told = tuple[str, str, int, str]
"""Of an attempt: order, task, number, outcome."""


@dataclass
class Faulty:
    """What happened, and what was told of it."""

    attempts: list[Attempt]
    calls: list[tuple[str, str, Call]]
    """Each with its order and its step."""
    callbacks: list[tuple[str, float]]
    spans: list[Row]
    late: set[str]
    """Orders whose placing took long by the client's own clock."""
    must: dict[int, set[str]] = field(default_factory=dict)
    """Why an attempt has to be recorded, by its place in `attempts`."""
    may: set[int] = field(default_factory=set)
    """Attempts that may be: only who did them knows how long it took for one command of many."""
    heard: Counter[str] = field(default_factory=Counter)
    """Callbacks of the carrier that have to be recorded, by order."""

    def told(self, numbers: "set[int] | dict[int, set[str]]") -> Counter[Told]:
        return Counter(_told(self.attempts[number]) for number in numbers)

    @property
    def recorded(self) -> Counter[Told]:
        """The attempts that there are spans of, but those that somebody else had taken over, which have no outcome."""
        return Counter(_of_span(s) for s in _attempts(self.spans) if s.attributes.get("outcome", "none") != "none")


def _sampled(order_id: str) -> bool:
    return traceparent.chosen(uuid.UUID(order_id).int, SHARE)


def _told(attempt: Attempt) -> Told:
    return attempt.order, attempt.task, attempt.number, attempt.outcome


def _attempts(spans: Iterable[Row]) -> Iterator[Row]:
    """The spans of attempts at commands; those of messages have no number."""
    return (s for s in spans if s.name.startswith("process ") and "attempt" in s.attributes)


def _of_span(span: Row) -> Told:
    of = span.attributes
    return of["order.id"], of["celery.task_name"], of["attempt"], of["outcome"]


@dataclass
class Shop:
    """Places orders, and breaks what they need."""

    runtime: LocalRuntime
    late: set[str] = field(default_factory=set)
    orders: list[str] = field(default_factory=list)

    def place(self, mail: str = "someone@customer.example") -> str:
        order = {**purchase("c-1", sku="CD", quantity=1, card="tok_ok").body, "email": mail}
        headers = {"Authorization": f"Bearer {self.runtime.tokens()['operator']}", "Idempotency-Key": str(uuid.uuid4())}
        began = time.monotonic()
        answer = httpx.post(self.runtime.addresses()["api"] + "/orders", json=order, headers=headers, timeout=60)
        order_id = str(answer.raise_for_status().json()["order_id"])
        if time.monotonic() - began > 0.9 * SLOW_SECONDS:
            self.late.add(order_id)
        self.orders.append(order_id)
        return order_id

    def place_many(self, count: int) -> None:
        """Place so many, as fast as the pools work them off: orders that wait behind others would all be slow."""
        for number in range(count):
            wait_until(
                lambda: self.number("SELECT count(*) FROM outbox WHERE state = 'open'") < MOST_OPEN,
                what="the pools to get on",
                seconds=120,
                poll_seconds=0.1,
            )
            # Every fortieth has an address that no mail can go to: its mails are parked.
            self.place("nobody@nowhere.invalid" if number % 40 == 7 else "someone@customer.example")

    def place_quietly(self) -> None:
        """Place orders one by one until some have met nothing, which on a busy machine takes a while."""
        url = self.runtime.addresses()["database"]

        def quick() -> bool:
            self.place()
            self.settled(60)
            long = {one.order for one in attempts(url) if one.ended - one.started > 0.9 * SLOW_SECONDS} | self.late
            return len([one for one in self.orders if one not in long and not _sampled(one)]) >= 5

        wait_until(quick, what="orders that met nothing", seconds=200)

    def number(self, query: str) -> float:
        with psycopg.connect(self.runtime.addresses()["database"]) as database:
            row = database.execute(query.encode()).fetchone()
            return float(row[0] or 0) if row else 0.0

    def settled(self, seconds: float) -> None:
        """Until no command is open."""
        wait_until(
            lambda: not self.number("SELECT count(*) FROM outbox WHERE state = 'open'"),
            what="every command to be done, or parked",
            seconds=seconds,
            poll_seconds=0.5,
        )

    def kill_at_work(self, outbox: OutboxState, pool: str, order_id: str = "") -> None:
        """Kill a child of the pool that has been at what it runs for so long that all before was sent; if one is named, at this order's."""
        queues = self.runtime.pools()[pool].queues

        def hit() -> bool:
            for index in range(2):
                pids = self.runtime.kill(pool, "child", signal.SIGSTOP, index)
                held = [one.key for one in outbox.held_by(self.runtime.ports(pids), queues)] if pids else []
                since = outbox.rows(
                    "SELECT extract(epoch FROM clock_timestamp() - max(started_at))::float8 FROM outbox WHERE key = ANY(%s)",
                    held,
                )
                long = bool(held and since and since[0][0] and since[0][0] > SENT_SECONDS)
                meant = any(key.startswith(order_id) for key in held)
                self.runtime.kill(pool, "child", signal.SIGKILL if long and meant else signal.SIGCONT, index)
                if long and meant:
                    return True
            return False

        wait_until(hit, what=f"a child of {pool} at work", seconds=120, poll_seconds=0.1)


def lived(shop: Shop, outbox: OutboxState) -> None:
    """Orders whose steps fail, are slow, wait, are parked, and die; each goes on to its end. Before them some that meet nothing."""
    runtime = shop.runtime
    shop.place_quietly()
    with dependency_faults.faults(runtime, "payments", {"rate": {"slow": 1.0}, "slow_seconds": 2.5}):
        poisonous = shop.place()
        for _ in range(MAX_ATTEMPTS):
            shop.kill_at_work(outbox, "payments", poisonous)
        wait_until(
            lambda: shop.number("SELECT count(*) FROM parked WHERE reason = 'poison'") > 0, what="poison", seconds=60
        )
    capstone(runtime.platform.run, "parked", "replay", "--all", "--reason", "poison")
    # The relay stands still, so that what is due waits.
    runtime.kill("relay", "tree", signal.SIGSTOP)
    shop.place_many(5)
    wait_until(
        lambda: (
            shop.number("SELECT extract(epoch FROM clock_timestamp() - max(created_at)) FROM outbox")
            > LONG_WAIT_SECONDS + 0.5
        ),
        what="orders to wait",
    )
    runtime.kill("relay", "tree", signal.SIGCONT)
    shop.settled(120)
    plans = {
        name: {"rate": rate, "slow_seconds": 1.8, "hang_seconds": 4.0, "expires_in_seconds": 3600.0}
        for name, rate in FAULTS.items()
    }
    with (
        dependency_faults.faults(runtime, "payments", plans["payments"]),
        dependency_faults.faults(runtime, "carrier", plans["carrier"]),
        dependency_faults.faults(runtime, "mail", plans["mail"]),
        ThreadPoolExecutor(1) as placing,
    ):
        placed = placing.submit(shop.place_many, ORDERS)
        for number in range(max(2, ORDERS // 100)):
            if placed.done():
                break
            shop.kill_at_work(outbox, ("payments", "fulfilment")[number % 2])
        placed.result()
        shop.settled(120 + ORDERS / 2)
    # A second kill may have met an order again.
    while shop.number("SELECT count(*) FROM parked WHERE reason = 'poison' AND status = 'parked'"):
        capstone(runtime.platform.run, "parked", "replay", "--all", "--reason", "poison")
        shop.settled(120)
    wait_until(
        lambda: not shop.number("SELECT count(*) FROM orders WHERE state NOT IN ('delivered', 'cancelled', 'failed')"),
        what="every order at its end",
        seconds=120,
        poll_seconds=0.5,
    )
    shop.settled(120)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    if not rabbitmq.installed():
        missing("rabbitmq-server")
    run = RunDirectory(tmp_path_factory.mktemp("faults") / "run")
    with proxy() as payments, proxy() as carrier:
        settings = {
            "OTEL_TRACES_SAMPLER_ARG": SHARE,
            "MAX_ATTEMPTS": MAX_ATTEMPTS,
            "RELAY_LEASE_SECONDS": 5,
            "PAYMENTS_URL": payments.address,
            "CARRIER_URL": carrier.address,
        }
        try:
            told = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
            capstone(run, "up", "--broker", "rabbitmq", "--observe", *told)
            runtime = LocalRuntime.running(run)
            addresses = runtime.addresses()
            payments.upstream, carrier.upstream = (urlsplit(addresses[name]).netloc for name in ("payments", "carrier"))
            watch(addresses["database"])
            shop, outbox = Shop(runtime), OutboxState(runtime)
            lived(shop, outbox)
            outbox.close()
            spans: list[Row] = []

            def complete() -> bool:
                before, spans[:] = len(spans), spans_of(run.traces)
                return len(spans) == before

            wait_until(complete, what="spans that come no more", seconds=30, poll_seconds=2.0)
            parcels = _parcels(addresses["database"])
            calls = [
                (parcels.get(call.key, call.key), _step(call), call)
                for call in [*payments.calls, *carrier.calls]
                if call.key
            ]
            found = Faulty(
                attempts(addresses["database"]), calls, list(callbacks(addresses["database"])), spans, shop.late
            )
            _judge(found)
            yield found
        finally:
            capstone(run, "down")


def _parcels(url: str) -> dict[str, str]:
    with psycopg.connect(url) as database:
        return dict(
            database.execute(
                "SELECT tracking_number, id::text FROM orders WHERE tracking_number IS NOT NULL"
            ).fetchall()
        )


def _step(call: Call) -> str:
    if call.path.startswith("/charges"):
        return (
            "ask_payment"
            if call.method == "GET"
            else "refund_payment"
            if call.path.endswith("/reverse")
            else "take_payment"
        )
    return {"handover": "hand_over", "void": "void_label"}.get(call.path.rpartition("/")[2], "buy_label")


def _judge(told: Faulty) -> None:
    """Say of each attempt why it has to be recorded, if it has to, and which may be."""
    calls: defaultdict[tuple[str, str], list[Call]] = defaultdict(list)
    for order, step, call in told.calls:
        calls[order, f"orders.{step}"].append(call)
    written = {(one.order, one.transaction): number for number, one in enumerate(told.attempts) if one.transaction}
    doubtful = {(one.order, one.cause) for one in told.attempts if one.key.endswith("/ask_payment")}
    heard: dict[str, float] = {}
    """By order, since when its saga was recorded."""
    perhaps: dict[str, float] = {}
    for number, one in enumerate(told.attempts):
        step = one.task.removeprefix("orders.")
        made = [call for call in calls[one.order, one.task] if one.started <= call.began <= one.ended]
        cause = written.get((one.order, one.cause))
        tests = {
            "sampled": _sampled(one.order),
            one.outcome: one.outcome in ("retry", "park", "died"),
            "again": one.tried,
            "waited": one.waited_seconds > LONG_WAIT_SECONDS,
            "call failed": any(call.status not in ANSWERS[step] for call in made),
            "call slow": any(call.seconds > SLOW_SECONDS for call in made),
            "unknown": (one.order, one.transaction) in doubtful,
            # What the carrier, or a person, asked for has no cause here.
            "follows": cause in told.must or (cause is None and heard.get(one.order, one.born) < one.born),
        }
        if reasons := {name for name, true in tests.items() if true}:
            told.must[number] = reasons
            if step in ANSWERS:
                heard.setdefault(one.order, one.ended)
        elif (
            one.ended - one.started > 0.9 * SLOW_SECONDS
            or one.waited_seconds > 0.9 * LONG_WAIT_SECONDS
            or cause in told.may
            or (cause is None and perhaps.get(one.order, one.born) < one.born)
        ):
            told.may.add(number)
            perhaps.setdefault(one.order, one.ended)
    told.heard = Counter(order for order, at in told.callbacks if heard.get(order, at) < at)
    counted = Counter(reason for why in told.must.values() for reason in why)
    log.info(
        "%d orders, %d attempts, %d have to be recorded, %d may be: %s",
        len({one.order for one in told.attempts}), len(told.attempts), len(told.must), len(told.may), json.dumps(counted),
    )  # fmt: skip


def test_there_were_steps_of_every_kind(faulty: Faulty) -> None:
    reasons = {reason for why in faulty.must.values() for reason in why}

    assert {
        "retry",
        "park",
        "died",
        "again",
        "waited",
        "call failed",
        "call slow",
        "unknown",
        "follows",
        "sampled",
    } == reasons
    assert {"done", "retry", "park", "died"} == {one.outcome for one in faulty.attempts}


def test_each_step_that_went_wrong_is_told_and_what_follows_from_it(faulty: Faulty) -> None:
    left_out = faulty.told(faulty.must) - faulty.recorded

    why = {_told(faulty.attempts[number]): sorted(reasons) for number, reasons in faulty.must.items()}
    assert "" == "\n".join(f"{told} {why[told]}" for told in left_out)


def test_each_step_that_failed_is_red(faulty: Faulty) -> None:
    wrong = {"park", "died", "call failed", "unknown"}
    failed = {n for n, why in faulty.must.items() if why & wrong or faulty.attempts[n].counts}
    red = Counter(_of_span(s) for s in _attempts(faulty.spans) if s.failed)

    assert Counter() == faulty.told(failed) - red


def test_each_first_try_that_is_told_has_its_wait(faulty: Faulty) -> None:
    waits = Counter(
        (s.attributes["order.id"], s.attributes["celery.task_name"], s.attributes["attempt"])
        for s in faulty.spans
        if s.name.startswith("wait ")
    )
    first = {number for number in faulty.must if faulty.attempts[number].starts == 1}

    assert Counter() == Counter(_told(faulty.attempts[number])[:3] for number in first) - waits


def test_what_the_carrier_told_afterwards_is_there(faulty: Faulty) -> None:
    told = Counter(
        s.attributes["order.id"]
        for s in faulty.spans
        if s.name == "POST /callbacks/carrier" and "order.id" in s.attributes
    )

    assert faulty.heard
    assert {} == dict(faulty.heard - told)


def test_of_an_unsampled_order_that_went_well_there_is_nothing(faulty: Faulty) -> None:
    wrong = {faulty.attempts[number].order for number in {*faulty.must, *faulty.may}} | faulty.late
    smooth = {one.order for one in faulty.attempts} - wrong

    assert smooth
    assert [] == [
        (s.name, s.attributes)
        for s in faulty.spans
        if s.attributes.get("order.id") in smooth and s.seconds < SLOW_SECONDS
    ]


def test_no_step_is_told_that_had_no_reason_to_be(faulty: Faulty) -> None:
    assert {} == dict(faulty.recorded - faulty.told(set(faulty.must) | faulty.may))


def test_no_span_has_a_parent_that_is_not_there(faulty: Faulty) -> None:
    known = {(span.trace, span.id) for span in faulty.spans}

    assert [] == [span.name for span in faulty.spans if span.parent and (span.trace, span.parent) not in known]
