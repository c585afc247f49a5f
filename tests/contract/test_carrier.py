"""What every carrier promises: the real adapter before the real carrier, and the one in memory."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from outside_servers import OutsideServer

from chassis.errors import Permanent
from orders.adapters.carrier import HttpCarrier
from orders.adapters.instant import InstantCarrier
from orders.adapters.wire import Wire
from orders.ports import Carrier

ADDRESS = {"street": "Elm Street 5", "city": "Springwood", "postcode": "12345", "country": "US"}


@pytest.fixture(params=["http", "instant"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    if request.param == "instant":
        return InstantCarrier()
    server: OutsideServer = request.getfixturevalue("carrier_server")
    return HttpCarrier(Wire(server.url, name="carrier"))


@pytest.fixture
def book(carrier: Carrier) -> Callable[..., str]:
    """Book a parcel with the test's key, unless told otherwise; its tracking number."""
    test_key = f"{uuid4()}:shipment"

    def make(*, key: str = test_key, order_id: str = "o-1", address: Any = ADDRESS, weight_g: int = 250) -> str:
        return carrier.create_shipment(key, order_id=order_id, address=address, weight_g=weight_g)

    return make


def test_a_repeat_gets_the_first_tracking_number(book: Callable[..., str]) -> None:
    assert book() == book()


def test_two_keys_are_two_parcels(book: Callable[..., str]) -> None:
    assert book() != book(key=f"{uuid4()}:shipment")


@pytest.mark.parametrize(
    "other",
    [{"order_id": "o-2"}, {"weight_g": 251}, {"address": {**ADDRESS, "city": "Haddonfield"}}],
    ids=lambda o: next(iter(o)),
)
def test_a_key_with_another_body_is_refused_for_good(book: Callable[..., str], other: dict[str, Any]) -> None:
    book()

    with pytest.raises(Permanent, match="another body"):
        book(**other)


@pytest.mark.parametrize("part", sorted(ADDRESS))
def test_an_address_without_a_part_is_refused_for_good(book: Callable[..., str], part: str) -> None:
    with pytest.raises(Permanent, match=part):
        book(address={name: value for name, value in ADDRESS.items() if name != part})


def test_a_parcel_of_no_weight_is_refused_for_good(book: Callable[..., str]) -> None:
    with pytest.raises(Permanent, match="weight_g"):
        book(weight_g=0)


def test_handing_over_twice_is_handing_over(carrier: Carrier, book: Callable[..., str]) -> None:
    number = book()

    carrier.hand_over(number)
    carrier.hand_over(number)

    assert carrier.void(number) is False


def test_voiding_twice_is_voiding(carrier: Carrier, book: Callable[..., str]) -> None:
    number = book()

    assert carrier.void(number) is True
    assert carrier.void(number) is True


def test_a_voided_parcel_is_not_taken(carrier: Carrier, book: Callable[..., str]) -> None:
    number = book()
    carrier.void(number)

    with pytest.raises(Permanent, match="voided"):
        carrier.hand_over(number)


def test_a_parcel_nobody_booked_is_refused_for_good(carrier: Carrier) -> None:
    with pytest.raises(Permanent, match="no parcel"):
        carrier.hand_over("CP000999999999")
    with pytest.raises(Permanent, match="no parcel"):
        carrier.void("CP000999999999")


def test_eight_threads_with_one_key_book_once(book: Callable[..., str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = set(pool.map(lambda _: book(), range(32)))

    assert len(numbers) == 1
