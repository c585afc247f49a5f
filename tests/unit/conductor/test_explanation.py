"""Why an order waits: the reason that helps, in words, from what is known."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conductor.capstones.orders.explanation import Surroundings, explain

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
NOTHING = Surroundings({}, {})


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


def order(**changes: Any) -> dict[str, Any]:
    facts = {"stock": "held", "payment": "none", "parcel": "none", "delivered": False}
    base = {"order_id": "o-1", "state": "processing", "waiting": [], "facts": facts, "stopping": None, "reason": None}
    return {**base, "needs_attention": None, "open_step": None, "updated_at": ago(9), **changes}


def command(task: str = "orders.take_payment", **changes: Any) -> dict[str, Any]:
    base = {"task": task, "state": "open", "since": ago(5), "due_at": ago(1), "attempts": 0, "failures": 0}
    return {**base, "last_error": None, **changes}


WAITING = {
    "about to be published": (command(), "about to be published", "orders.take_payment is published now"),
    "in a queue": (command(due_at=ago(-4)), "waits for a free worker", "published again in 4.0 s"),
    "under way": (command(attempts=1, due_at=ago(-4)), "a worker is at it", "the outcome of take_payment"),
    "after a death": (command(attempts=3, due_at=ago(-4)), "2 times a worker died at it", "published again in 4.0 s"),
    "after a failure": (
        command(failures=1, last_error="refused", due_at=ago(-4)), "it failed once, last with “refused”", "tried again in 4.0 s"
    ),
    "parked": (command(state="parked", last_error="poison"), "was parked (poison)", "a person decides"),
}  # fmt: skip


@pytest.mark.parametrize(("waiting", "why", "after"), WAITING.values(), ids=WAITING)
def test_a_command_says_how_it_stands_and_what_is_next(waiting: dict[str, Any], why: str, after: str) -> None:
    found = explain(order(waiting=[waiting]), [], NOTHING, NOW)

    assert (True, True) == (why in found.why[0], after in found.next), found


def test_it_waits_since_its_command_was_written() -> None:
    assert NOW - timedelta(seconds=5) == explain(order(waiting=[command()]), [], NOTHING, NOW).since


def test_an_open_circuit_and_faults_of_its_server_are_told() -> None:
    fault = {"plan": {"rate": {"decline": 0.25}}, "ends_in_seconds": 30.0, "outage": {}, "outage_ends_in_seconds": 0.0}
    around = Surroundings({"payments": fault, "carrier": fault}, {"payments": 3.0, "carrier": 1.0})

    found = explain(order(waiting=[command()]), [], around, NOW)

    assert ["left alone for 3.0 s", "decline 25%"] == [
        part for part in ("left alone for 3.0 s", "decline 25%", "carrier") if part in " ".join(found.why)
    ]


def test_the_main_line_is_told_before_a_mail() -> None:
    found = explain(order(waiting=[command("orders.send_mail"), command()]), [], NOTHING, NOW)

    assert "payment" in found.why[0]


def test_an_order_that_turns_back_says_so() -> None:
    turning = order(
        waiting=[command("orders.refund_payment")], stopping="cancelled", reason="cancelled by the customer"
    )

    assert "it turns back: cancelled by the customer" in explain(turning, [], NOTHING, NOW).why


def test_a_parcel_under_way_waits_for_the_carrier() -> None:
    under_way = order(state="shipped", facts={"parcel": "handed_over"})

    found = explain(under_way, [{"at": ago(2)}], NOTHING, NOW)

    assert ("the carrier calls back" in found.next, NOW - timedelta(seconds=2)) == (True, found.since)


@pytest.mark.parametrize("state", ["delivered", "cancelled", "failed"])
def test_a_final_order_waits_for_nothing(state: str) -> None:
    assert "nothing" == explain(order(state=state), [], NOTHING, NOW).next


def test_a_stranded_order_is_recognised() -> None:
    found = explain(order(open_step="take_payment"), [], NOTHING, NOW)

    assert ("rows were lost" in found.why[0], "orders.reconcile" in found.next) == (True, True)
