"""The carrier's callbacks: signed, once, in any order."""

import hashlib
import hmac
import json
import threading
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.adapters.intake_store import PostgresIntakeStore
from orders.domain.saga import Parcel, Payment, Saga, State, Step, Stock
from orders.ports import Change

Shop = Any
TRACKING = "TRK-1"
SHIPPED = Saga(State.SHIPPED, Stock.SHIPPED, Payment.CAPTURED, Parcel.HANDED_OVER)
LABELLED = Saga(State.PAID, Stock.HELD, Payment.CAPTURED, Parcel.LABELLED)


EVENT = {"event_id": "e-1", "tracking_number": TRACKING, "kind": "delivered", "at": 1_700_000_000.25}


def call(shop: Shop, *, secret: str = "carrier-secret", age: float = 0, **change: Any) -> Any:
    """The answer to a callback."""
    return send(shop, json.dumps({**EVENT, **change}).encode(), secret=secret, age=age)


def send(shop: Shop, body: bytes, *, secret: str = "carrier-secret", age: float = 0) -> Any:
    """The answer to a callback of any body, signed."""
    timestamp = str(int(time.time() - age))
    signature = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Carrier-Timestamp": timestamp,
        "X-Carrier-Signature": signature,
    }
    return shop.client().post("/callbacks/carrier", content=body, headers=headers)


@pytest.fixture
def shipped(shop: Shop, wanted: dict[str, Any]) -> str:
    """An order on its way."""
    order_id: str = shop.placed(wanted)
    shop.run("DELETE FROM outbox")
    shop.become(order_id, SHIPPED, TRACKING)
    return order_id


def state(shop: Shop, order_id: str) -> str:
    found: str = shop.client("op-token").get(f"/orders/{order_id}").json()["state"]
    return found


def test_a_delivered_parcel_is_a_delivered_order(shop: Shop, shipped: str) -> None:
    answer = call(shop)

    assert (answer.status_code, answer.json(), state(shop, shipped)) == (200, {"status": "taken"}, "delivered")


def test_a_delivered_order_owes_a_mail(shop: Shop, shipped: str) -> None:
    call(shop)

    assert [row.key for row in shop.rows("SELECT key FROM outbox")] == [f"{shipped}/mail/delivered"]


def test_a_repeated_event_is_known_and_changes_nothing(shop: Shop, shipped: str) -> None:
    call(shop, kind="in_transit")
    answer = call(shop, kind="in_transit")

    events = [row.kind for row in shop.rows("SELECT kind FROM timeline")]
    assert (answer.json(), events.count("carrier.in_transit")) == ({"status": "known"}, 1)


def test_the_same_event_many_times_at_once_is_taken_once(shop: Shop, shipped: str) -> None:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(call(shop).json()["status"])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(answers) == ["known"] * 5 + ["taken"]


def test_a_second_delivery_under_another_id_changes_no_state(shop: Shop, shipped: str) -> None:
    call(shop)
    shop.run("DELETE FROM outbox")
    call(shop, event_id="e-2")

    assert (state(shop, shipped), shop.rows("SELECT 1 FROM outbox")) == ("delivered", [])


def test_in_transit_after_delivered_changes_no_state(shop: Shop, shipped: str) -> None:
    call(shop)
    call(shop, event_id="e-2", kind="in_transit")

    assert state(shop, shipped) == "delivered"


def test_a_delivery_told_before_the_hand_over_is_remembered(shop: Shop, shipped: str) -> None:
    shop.become(shipped, LABELLED)
    call(shop)

    found = shop.client("op-token").get(f"/orders/{shipped}").json()
    assert (found["state"], found["facts"]["delivered"]) == ("paid", True)


def test_an_unknown_parcel_is_404_and_its_event_may_come_again(shop: Shop, shipped: str) -> None:
    early = call(shop, tracking_number="TRK-2")
    shop.run("UPDATE orders SET tracking_number = 'TRK-2'")

    assert (early.status_code, call(shop, tracking_number="TRK-2").json()) == (404, {"status": "taken"})


def test_a_callback_keeps_what_needs_attention(shop: Shop, shipped: str) -> None:
    shop.run("UPDATE orders SET needs_attention = 'look here'")
    call(shop)

    assert shop.client("op-token").get(f"/orders/{shipped}").json()["needs_attention"] == "look here"


def test_a_callback_of_another_secret_is_401(shop: Shop, shipped: str) -> None:
    assert (call(shop, secret="guess").status_code, state(shop, shipped)) == (401, "shipped")


@pytest.mark.parametrize("age", [310, -310])
def test_a_callback_of_another_time_is_401(shop: Shop, shipped: str, age: int) -> None:
    assert (call(shop, age=age).status_code, state(shop, shipped)) == (401, "shipped")


def test_without_a_secret_no_callback_is_taken(shop: Shop, shipped: str) -> None:
    assert call(shop.over(carrier_secret=""), secret="").status_code == 401


def test_a_callback_without_a_signature_is_422(shop: Shop) -> None:
    answer = shop.client().post("/callbacks/carrier", json={})

    assert {error["field"] for error in answer.json()["errors"]} == {"X-Carrier-Timestamp", "X-Carrier-Signature"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "lost"}, "kind"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "a\x00"}, "event_id"),
        ({"tracking_number": None}, "tracking_number"),
        ({"at": -1}, "at"),
        ({"at": 1e300}, "at"),
        ({"at": "noon"}, "at"),
        ({"at": float("nan")}, "at"),
    ],
)
def test_a_signed_callback_that_makes_no_sense_is_422(shop: Shop, change: dict[str, Any], field: str) -> None:
    answer = call(shop, **change)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_fields_of_a_newer_carrier_are_ignored(shop: Shop, shipped: str) -> None:
    assert call(shop, driver="Dan").json() == {"status": "taken"}


def test_a_number_that_the_carrier_gives_as_one_names_its_parcel(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    shop.become(order_id, SHIPPED, "12345678901234567890")

    assert (200, "delivered") == (call(shop, tracking_number=12345678901234567890).status_code, state(shop, order_id))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(st.characters(), max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)
BODIES = (
    st.fixed_dictionaries({}, optional=dict.fromkeys(EVENT, ANYTHING)).map(
        lambda change: json.dumps({**EVENT, **change}).encode()
    )
    | ANYTHING.map(lambda found: json.dumps(found).encode("utf-8", "surrogatepass"))
    | st.binary(max_size=40)
    | st.sampled_from([b"[" * 50_000, b"9" * 50_000, json.dumps(EVENT).encode("utf-16"), b'{"at": 1e999}'])
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(body=BODIES)
def test_no_signed_callback_is_a_bug(shop: Shop, shipped: str, body: bytes) -> None:
    assert send(shop, body).status_code in (200, 400, 404, 422)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(timestamp=st.binary(max_size=20), signature=st.binary(max_size=70))
def test_no_header_of_a_callback_is_a_bug(shop: Shop, timestamp: bytes, signature: bytes) -> None:
    headers = {
        b"Content-Type": b"application/json",
        b"X-Carrier-Timestamp": timestamp,
        b"X-Carrier-Signature": signature,
    }

    assert 401 == shop.client().post("/callbacks/carrier", content=b"{}", headers=headers).status_code


def went_wrong(shop: Shop, order_id: str) -> bool:
    with PostgresIntakeStore(shop.engine).begin() as tx:
        return tx.went_wrong(order_id)


def test_what_went_wrong_with_an_order_stays_said_and_changes_nothing_of_it(shop: Shop, shipped: str) -> None:
    assert not went_wrong(shop, shipped)

    with PostgresIntakeStore(shop.engine).begin() as tx:
        tx.save([Change(shipped, SHIPPED, went_wrong=True)])
        tx.save([Change(shipped, SHIPPED)])
        assert SHIPPED == tx.lock([shipped])[shipped]

    assert went_wrong(shop, shipped)


def test_a_step_that_was_tried_in_vain_says_so_before_the_order_does(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    shop.become(order_id, Saga(open=Step.RESERVE_STOCK))
    assert not went_wrong(shop, order_id)

    shop.run("UPDATE outbox SET last_error = 'busy' WHERE key LIKE '%/reserve_stock'")

    assert went_wrong(shop, order_id)
