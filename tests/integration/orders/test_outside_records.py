"""The books of provider and carrier are read exactly; one that cannot be read ends the reading, because nothing may be left out of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from strangers import HttpStranger, http

from chassis.errors import Transient
from orders.adapters.records import PAGE, HttpRecords
from orders.adapters.wire import Wire
from orders.domain.saga import Parcel
from orders.ports import ChargeRecord, ChargeStatus, ParcelRecord

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
CHARGE = {"key": "o-1:payment", "status": "captured", "order_id": "o-1", "amount_minor": 500, "currency": "EUR"}
PARCEL = {"tracking_number": "CP1", "order_id": "o-1", "status": "booked", "delivered_at": None}


@pytest.fixture(scope="module")
def stranger() -> Iterator[HttpStranger]:
    stranger = HttpStranger()
    yield stranger
    stranger.close()


def read(stranger: HttpStranger, body: Any) -> list[Any]:
    """Charges and parcels of a body that has pages of both."""
    stranger.script = http(200, json.dumps(body).encode())
    wire = Wire(stranger.url, name="stranger")
    records = HttpRecords(wire, wire)
    return [*records.charges(SINCE), *records.parcels(SINCE)]


def test_a_page_is_read(stranger: HttpStranger) -> None:
    found = read(stranger, {"charges": [{**CHARGE, "order_id": None}], "shipments": [PARCEL], "more": [1]})

    assert [
        ChargeRecord("o-1:payment", ChargeStatus.CAPTURED, None, 500, "EUR"),
        ParcelRecord("CP1", "o-1", Parcel.LABELLED, delivered=False),
    ] == found


@pytest.mark.parametrize("other", [
    {"key": None}, {"key": 1}, {"status": "pending"}, {"status": ["captured"]}, {"status": None}, {"order_id": 1},
    {"amount_minor": "500"}, {"amount_minor": 5.0}, {"amount_minor": True}, {"amount_minor": 10**30}, {"currency": {}},
], ids=str)  # fmt: skip
def test_a_charge_that_cannot_be_read_ends_the_reading(stranger: HttpStranger, other: dict[str, Any]) -> None:
    with pytest.raises(Transient, match="a record cannot be read"):
        read(stranger, {"charges": [CHARGE, {**CHARGE, **other}], "shipments": []})


@pytest.mark.parametrize("other", [
    {"tracking_number": "CP\x00"}, {"tracking_number": "CP\ud83d"}, {"tracking_number": "9" * 300}, {"tracking_number": None},
    {"status": "lost"}, {"status": {}}, {"order_id": None},
], ids=repr)  # fmt: skip
def test_a_parcel_that_cannot_be_read_ends_the_reading(stranger: HttpStranger, other: dict[str, Any]) -> None:
    with pytest.raises(Transient, match="a record cannot be read"):
        read(stranger, {"charges": [], "shipments": [{**PARCEL, **other}]})


@pytest.mark.parametrize(
    "body", [{}, {"charges": None}, {"charges": {"key": "k"}}, [], "charges", {"charges": ["k"]}], ids=str
)
def test_a_page_of_another_shape_ends_the_reading(stranger: HttpStranger, body: Any) -> None:
    with pytest.raises(Transient):
        read(stranger, body)


def test_a_missing_member_ends_the_reading(stranger: HttpStranger) -> None:
    with pytest.raises(Transient, match="amount_minor"):
        read(stranger, {"charges": [{k: v for k, v in CHARGE.items() if k != "amount_minor"}], "shipments": []})


def test_a_book_that_gives_the_same_page_again_and_again_is_given_up(stranger: HttpStranger) -> None:
    with pytest.raises(Transient, match="not behind"):
        read(stranger, {"charges": [CHARGE] * PAGE, "shipments": []})


def test_the_currency_of_a_charge_is_kept_as_text_that_can_be_stored(stranger: HttpStranger) -> None:
    (charge,) = read(stranger, {"charges": [{**CHARGE, "currency": "E\x00R"}], "shipments": []})

    assert "E R" == charge.currency
