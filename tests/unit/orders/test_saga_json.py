"""The saga as JSON survives the round trip, and is read by the version before and the version after."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.adapters import saga_json
from orders.domain.saga import Parcel, Payment, Saga, State, Step, Stock, Stop

SAGAS = st.builds(
    Saga,
    state=st.sampled_from(State),
    stock=st.sampled_from(Stock),
    payment=st.sampled_from(Payment),
    parcel=st.sampled_from(Parcel),
    delivered=st.booleans(),
    open=st.none() | st.sampled_from(Step),
    stop=st.none() | st.sampled_from(Stop),
    reason=st.none() | st.text(),
)


@given(saga=SAGAS)
def test_what_is_written_is_what_is_read(saga: Saga) -> None:
    assert saga == saga_json.load(json.loads(json.dumps(saga_json.dump(saga))))


@given(saga=SAGAS)
def test_what_is_read_has_the_types_of_the_domain(saga: Saga) -> None:
    read = saga_json.load(json.loads(json.dumps(saga_json.dump(saga))))

    assert [type(getattr(saga, f)) for f in Saga.__slots__] == [type(getattr(read, f)) for f in Saga.__slots__]


def test_a_new_order_is_a_small_object() -> None:
    assert {"open": "reserve_stock"} == saga_json.dump(Saga(open=Step.RESERVE_STOCK))


def test_a_fact_that_an_older_version_did_not_write_reads_as_its_default() -> None:
    assert Saga(state=State.PAID) == saga_json.load({"state": "paid"})


def test_a_fact_that_a_newer_version_wrote_is_ignored() -> None:
    assert Saga(state=State.PAID) == saga_json.load({"state": "paid", "gift_wrapped": True})


def test_a_null_reads_as_the_default() -> None:
    assert Saga() == saga_json.load({"stop": None, "state": None})


def test_a_value_that_no_version_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="teleported"):
        saga_json.load({"parcel": "teleported"})
