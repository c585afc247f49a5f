"""The carrier's callbacks as a shop gets them: signed, in order, until taken, across crashes."""

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from callback_receiver import Callback, Shop
from outside_servers import SECRET, OutsideServer, wait_until

from orders.adapters.carrier import HttpCarrier
from orders.adapters.wire import Wire

pytestmark = pytest.mark.integration

WAY = ["in_transit", "delivered"]


@pytest.fixture
def shop() -> Iterator[Shop]:
    listening = Shop()
    yield listening
    listening.close()


@pytest.fixture
def carrier(start: Callable[..., OutsideServer], shop: Shop) -> OutsideServer:
    return start("carrier", callback_url=shop.url)


def book(carrier: OutsideServer, number: int) -> str:
    http = HttpCarrier(Wire(carrier.url, name="carrier"))
    address = {"street": "Elm Street 5", "city": "Springwood", "postcode": "12345", "country": "US"}
    return http.create_shipment(f"o-{number}:shipment", order_id=f"o-{number}", address=address, weight_g=1)


def hand_over(carrier: OutsideServer, number: int = 1) -> str:
    tracking = book(carrier, number)
    HttpCarrier(Wire(carrier.url, name="carrier")).hand_over(tracking)
    return tracking


def test_a_parcel_is_in_transit_and_then_delivered(carrier: OutsideServer, shop: Shop) -> None:
    tracking = hand_over(carrier)

    wait_until(lambda: len(carrier.ledger()) == 4, what="both callbacks in the ledger")

    assert shop.kinds(tracking) == WAY
    events = [(entry["event"], entry["key"]) for entry in carrier.ledger() if entry["kind"] == "callback"]
    assert events == [(callback.event["kind"], callback.event["event_id"]) for callback in shop.got]


def test_a_callback_is_signed_over_its_time_and_body(carrier: OutsideServer, shop: Shop) -> None:
    hand_over(carrier)
    wait_until(lambda: bool(shop.got), what="a callback")

    callback = shop.got[0]

    signed = callback.timestamp.encode() + b"." + callback.raw
    assert hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest() == callback.signature
    assert abs(time.time() - int(callback.timestamp)) < 30


def test_a_callback_is_repeated_until_it_is_taken(carrier: OutsideServer, shop: Shop) -> None:
    refusals = iter([500, 404, 302])
    shop.answer = lambda _: next(refusals, 204)

    tracking = hand_over(carrier)
    wait_until(lambda: len(carrier.ledger()) == 4, what="both callbacks in the ledger")

    assert shop.kinds(tracking) == ["in_transit"] * 4 + ["delivered"]
    assert len({callback.event["event_id"] for callback in shop.got}) == 2


def test_a_shop_that_hangs_up_between_two_callbacks_gets_each_once(carrier: OutsideServer, shop: Shop) -> None:
    shop.hangs_up = True

    tracking = hand_over(carrier)
    wait_until(lambda: len(carrier.ledger()) == 4, what="both callbacks in the ledger")

    assert WAY == shop.kinds(tracking)


def test_what_is_owed_survives_a_crash(carrier: OutsideServer, shop: Shop) -> None:
    shop.answer = lambda _: 503
    tracking = hand_over(carrier)
    wait_until(lambda: bool(shop.got), what="a callback")
    carrier.crash()
    shop.answer = lambda _: 204
    carrier.start()

    wait_until(lambda: len(carrier.ledger()) == 4, what="both callbacks in the ledger")

    assert [kind for kind in shop.kinds(tracking) if kind in WAY][-2:] == WAY


def test_what_was_taken_is_not_sent_again_after_a_restart(carrier: OutsideServer, shop: Shop) -> None:
    first = hand_over(carrier, 1)
    wait_until(lambda: len(carrier.ledger()) == 4, what="both callbacks in the ledger")
    carrier.stop()
    carrier.start()
    hand_over(carrier, 2)
    wait_until(lambda: len(carrier.ledger()) == 8, what="all callbacks in the ledger")

    assert shop.kinds(first) == WAY


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("callback_duplicate", ["in_transit", "in_transit", "delivered", "delivered"]),
        ("callback_reorder", ["delivered", "in_transit"]),
        ("callback_lost_once", WAY),
    ],
)
def test_news_goes_wrong_on_demand(carrier: OutsideServer, shop: Shop, fault: str, expected: list[str]) -> None:
    carrier.fault(**{fault: 1.0})

    tracking = hand_over(carrier)
    wait_until(lambda: len(carrier.ledger()) == 4, what="both callbacks in the ledger")

    assert expected == shop.kinds(tracking)
    assert len({callback.event["event_id"] for callback in shop.got}) == 2


def test_one_parcel_that_nobody_wants_holds_up_no_other(carrier: OutsideServer, shop: Shop) -> None:
    unwanted = book(carrier, 0)

    def answer(callback: Callback) -> int:
        return 500 if callback.event["tracking_number"] == unwanted else 204

    shop.answer = answer
    hand_over(carrier, 0)
    parcels = [hand_over(carrier, number) for number in range(1, 101)]

    def callbacks() -> Counter[str]:
        return Counter(entry["tracking_number"] for entry in carrier.ledger() if entry["kind"] == "callback")

    wait_until(lambda: callbacks() == dict.fromkeys(parcels, 2), what="100 parcels", poll_seconds=0.2)
