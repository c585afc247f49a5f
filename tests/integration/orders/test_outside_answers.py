"""Whatever payment provider and carrier answer is recorded, refused or asked about again; it is never a bug of ours, and never endless.

The real adapters, before a server that says what the test tells it to, over PostgreSQL.
"""

import gzip
import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strangers import ENDLESS, HttpStranger, http
from test_worker_usecases import Back, back, back_url, step_command  # noqa: F401 - fixtures

from fakes.order_making import saga_before
from fakes.orders_world import FaultyOutside
from orders.adapters.carrier import HttpCarrier
from orders.adapters.labels import PdfLabels
from orders.adapters.payments import HttpPayments
from orders.adapters.wire import LONGEST_BODY, Wire
from orders.domain.saga import Parcel, Payment, Saga, State, Step, Stock, Stop

ANSWER_SECONDS = 0.5
# What the machine may be late with it, when it is busy.
LATE_SECONDS = 3.0

BACK = {"stock": Stock.HELD, "payment": Payment.CAPTURED, "stop": Stop.CANCELLED}
SAGAS = {
    Step.TAKE_PAYMENT: saga_before(Step.TAKE_PAYMENT),
    Step.ASK_PAYMENT: Saga(State.PROCESSING, Stock.HELD, Payment.DOUBTFUL, open=Step.ASK_PAYMENT),
    Step.REFUND_PAYMENT: Saga(State.PAID, parcel=Parcel.VOIDED, open=Step.REFUND_PAYMENT, **BACK),
    Step.BUY_LABEL: saga_before(Step.BUY_LABEL),
    Step.HAND_OVER: saga_before(Step.HAND_OVER),
    Step.VOID_LABEL: Saga(State.PAID, parcel=Parcel.LABELLED, open=Step.VOID_LABEL, **BACK),
}


class Printer(FaultyOutside):
    """The real printer, and nobody else."""

    def label(self, **what: Any) -> bytes:
        return PdfLabels().label(**what)


class Outside:
    """One order at a step, before a stranger."""

    def __init__(self, back: Back, stranger: HttpStranger) -> None:  # noqa: F811
        self.back, self.stranger = back, stranger
        wire = Wire(stranger.url, name="stranger", total_seconds=ANSWER_SECONDS)
        self.orders = back.orders(Printer(), payments=HttpPayments(wire), carrier=HttpCarrier(wire))

    def perform(self, step: Step, script: Any) -> Any:
        """The order's row after the step met this answer."""
        self.back.rows("DELETE FROM outbox RETURNING id")
        order_id = self.back.add(SAGAS[step])
        if step in (Step.HAND_OVER, Step.VOID_LABEL):
            self.back.rows(
                "UPDATE orders SET tracking_number = id WHERE id = CAST(:id AS uuid) RETURNING id", id=order_id
            )
        self.stranger.script = script
        began = time.monotonic()

        assert 1 == self.orders.perform(step, self.back.issue(step_command(order_id, step)))
        assert time.monotonic() - began < ANSWER_SECONDS + LATE_SECONDS
        return self.back.order(order_id)

    def parked(self) -> list[str]:
        return [row.reason for row in self.back.rows("SELECT reason FROM parked")]

    def waiting(self) -> str:
        """Why the one open command is tried again."""
        (row,) = self.back.rows("SELECT last_error FROM outbox WHERE state = 'open'")
        return str(row.last_error)


@pytest.fixture(scope="module")
def stranger() -> Iterator[HttpStranger]:
    """One server for all answers of the module."""
    stranger = HttpStranger()
    yield stranger
    stranger.close()


@pytest.fixture
def outside(back: Back, stranger: HttpStranger) -> Outside:  # noqa: F811
    return Outside(back, stranger)


def said(code: int, /, **body: Any) -> bytes:
    """An answer of JSON; half of a surrogate pair is escaped."""
    return http(code, json.dumps(body).encode(), b"Content-Type: application/json")


def endless(*pieces: bytes) -> Iterator[bytes]:
    """The first piece, and then the last one, for as long as anybody listens."""
    return itertools.chain(pieces[:-1], itertools.repeat(pieces[-1], ENDLESS))


CAPTURED = {
    "NUL in its id": said(201, status="captured", charge_id="c\x00"),
    "half an emoji in its id": said(200, status="captured", charge_id="c \ud83d"),
    "a number as its id": said(201, status="captured", charge_id=10**400),
    "an object as its id": said(201, status="captured", charge_id={"id": [1]}),
    "no id": said(201, status="captured"),
    "an id without end": said(201, status="captured", charge_id="9" * 100_000),
    "bytes that are no UTF-8": http(201, b'{"status": "captured", "charge_id": "caf\xe9"}'),
    "a charset that is none": http(201, b'{"status": "captured"}', b"Content-Type: application/json; charset=base64"),
    "UTF-16": http(201, json.dumps({"status": "captured"}).encode("utf-16")),
    "compressed, unasked": http(201, gzip.compress(b'{"status": "captured"}'), b"Content-Encoding: gzip"),
    "a page of cookies": http(
        201, b'{"status": "captured"}', *(b"Set-Cookie: c%d=%s" % (n, b"x" * 400) for n in range(100))
    ),
}


@pytest.mark.parametrize("answer", CAPTURED.values(), ids=list(CAPTURED))
def test_money_that_was_taken_is_recorded_whatever_else_the_provider_says(outside: Outside, answer: bytes) -> None:
    order = outside.perform(Step.TAKE_PAYMENT, answer)

    assert ("paid", []) == (order.state, outside.parked())


DECLINED = {
    "NUL": ("no\x00money", "no money"),
    "half an emoji": ("sorry \ud83d", "sorry \ufffd"),
    "line breaks": ("no\r\nmoney", "no money"),
    "a number": (7, "7"),
    "too long": ("n" * 100_000, "n" * 199 + "…"),
}


@pytest.mark.parametrize(("reason", "kept"), DECLINED.values(), ids=list(DECLINED))
def test_the_reason_of_a_declined_card_is_kept_as_text_that_can_be_stored(
    outside: Outside, reason: Any, kept: str
) -> None:
    order = outside.perform(Step.TAKE_PAYMENT, said(402, status="declined", reason=reason))

    assert (f"payment declined: {kept}", []) == (order.reason, outside.parked())


UNREADABLE = {
    "nothing": http(200, b""),
    "no HTTP": b"hello\r\n\r\n",
    "a page": http(200, b"<html>we are back soon</html>", b"Content-Type: text/html"),
    "a list": http(200, b"[1]"),
    "NaN": http(200, b"NaN"),
    "nested without end": http(200, b"[" * 200_000),
    "a number without end": http(200, b"9" * 200_000),
    "no status": said(200, charge_id="c"),
    "a status of another type": said(200, status={"captured": True}),
    "an unknown word": said(200, status="pend\x00ing"),
    "202": said(202, status="accepted"),
    "204": http(204, b""),
    "captured and refused at once": said(402, status="captured"),
    "500": http(500, b"\x00\xff" * 300),
    "an encoding that is not its own": http(200, b'{"status": "captured"}', b"Content-Encoding: gzip"),
    "a length that is too long": http(200, b"{}", b"Content-Length: 99999"),
    "a body without end": endless(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "a huge body": http(200, b" " * (LONGEST_BODY + 1) + b"{}"),
    "headers without end": endless(b"HTTP/1.1 200 OK\r\n", b"X-Again: and again\r\n"),
    "1xx without end": endless(b"HTTP/1.1 102 Processing\r\n\r\n"),
    "a status line without end": endless(b"HTTP/1.1 200 ", b"OK"),
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_charge_whose_answer_nobody_can_read_is_asked_about(outside: Outside, answer: Any) -> None:
    order = outside.perform(Step.TAKE_PAYMENT, answer)

    assert ("doubtful", "ask_payment") == (order.saga["payment"], order.saga["open"])
    assert [] == outside.parked()


NOT_NOW = {
    "NUL": said(503, detail="busy\x00"),
    "half an emoji": said(503, detail="busy \ud83d"),
    "an object": said(503, detail={"a": 1}),
    "a wish that is no number": http(503, b"", b"Retry-After: \xff\xfe"),
    "a wish beyond all numbers": http(429, b"", b"Retry-After: " + b"9" * 400),
    "a wish for a day that is none": http(429, b"", b"Retry-After: Mon, 99 Jan 0000 99:99:99 +999999"),
    "408": http(408, b"\x00"),
    "425": http(425, b"{"),
}


@pytest.mark.parametrize("answer", NOT_NOW.values(), ids=list(NOT_NOW))
@pytest.mark.parametrize("step", [Step.TAKE_PAYMENT, Step.BUY_LABEL])
def test_a_refusal_for_now_is_tried_again(outside: Outside, step: Step, answer: bytes) -> None:
    order = outside.perform(step, answer)

    assert (step, []) == (order.saga["open"], outside.parked())
    assert "stranger answered" in outside.waiting()


def test_a_reversal_that_leaves_the_charge_captured_is_no_refund(outside: Outside) -> None:
    order = outside.perform(Step.REFUND_PAYMENT, said(200, status="captured"))

    assert ("captured", "refund_payment") == (order.saga["payment"], order.saga["open"])


NUMBERS = {
    "as long as the label": "CP1234567890123",
    "longer than the label": "1Z999AA10123456784",
    "longer than any label": "1Z" * 100,
    "small letters": "cp-1",
    "another script": "包裹一",
    "a number": 123456789012345678901,
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=list(NUMBERS))
def test_a_booked_parcel_is_known_by_its_number_and_handed_over(outside: Outside, number: Any) -> None:
    order = outside.perform(Step.BUY_LABEL, said(201, tracking_number=number))

    assert (str(number), "labelled", "hand_over") == (
        order.tracking_number,
        order.saga["parcel"],
        order.saga["open"],
    )


def test_a_label_that_cannot_be_drawn_is_parked_by_itself(outside: Outside) -> None:
    order = outside.perform(Step.BUY_LABEL, said(201, tracking_number="1Z" * 100))

    assert 1 == outside.orders.draw_labels(outside.back.issued(f"{order.id}/label"))
    assert ["permanent"] == outside.parked()
    after = outside.back.order(order.id)
    assert ("hand_over", "orders.draw_label was parked as permanent") == (after.saga["open"], after.needs_attention)


NO_NUMBERS = {
    "NUL": "CP\x00",
    "half an emoji": "CP\ud83d",
    "nothing": "",
    "a blank": " ",
    "too long": "9" * 201,
    "as long as no index takes": "9" * 10_000,
    "an object": {"number": "CP1"},
    "yes": True,
    "a fraction": 1.5,
    "null": None,
}


@pytest.mark.parametrize("number", NO_NUMBERS.values(), ids=list(NO_NUMBERS))
def test_a_parcel_whose_number_cannot_be_kept_is_asked_for_again(outside: Outside, number: Any) -> None:
    order = outside.perform(Step.BUY_LABEL, said(201, tracking_number=number))

    assert (None, "buy_label", []) == (order.tracking_number, order.saga["open"], outside.parked())
    assert "a tracking number has" in outside.waiting()


def test_a_number_that_another_order_has_is_parked_with_both(outside: Outside) -> None:
    outside.perform(Step.BUY_LABEL, said(201, tracking_number="CP1"))

    order = outside.perform(Step.BUY_LABEL, said(201, tracking_number="CP1"))

    (parked,) = outside.back.rows("SELECT reason, detail FROM parked")
    assert ("permanent", True) == (parked.reason, "(tracking_number)=(CP1)" in parked.detail)
    assert "orders.buy_label was parked as permanent" == order.needs_attention


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
WORDS = st.sampled_from(["captured", "declined", "voided", "refunded"])
MEMBERS = ("charge_id", "reason", "tracking_number", "detail")
OBJECTS = st.builds(
    lambda status, rest: {**rest, **status},
    st.fixed_dictionaries({}, optional={"status": WORDS | ANYTHING}),
    st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, ANYTHING)),
)
BODIES = (OBJECTS | ANYTHING).map(lambda found: json.dumps(found).encode()) | st.binary(max_size=50)
ANSWERS = st.builds(http, st.sampled_from([200, 201, 202, 301, 400, 402, 404, 409, 422, 429, 500, 503]), BODIES)


@settings(
    max_examples=80,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(step=st.sampled_from(list(SAGAS)), answer=ANSWERS)
def test_no_answer_is_a_bug(outside: Outside, step: Step, answer: bytes) -> None:
    outside.perform(step, answer)

    assert {"permanent"} >= set(outside.parked())
