"""Whatever payment provider and carrier repeat of a customer is in no log, span, metric, parked record or reason.

The real adapters, before a server that repeats it in every answer, over PostgreSQL.
"""

import itertools
import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from strangers import HttpStranger, http
from test_outside_answers import SAGAS, Printer
from test_worker_usecases import Back, back, back_url, step_command  # noqa: F401 - fixtures

from chassis import logs, metrics
from chassis.settings import ServiceSettings
from fakes.order_making import make_order
from fakes.recorded_spans import recorded_spans
from orders.adapters import order_rows
from orders.adapters.carrier import HttpCarrier
from orders.adapters.payments import HttpPayments
from orders.adapters.wire import Wire
from orders.domain.order import Customer
from orders.domain.saga import Step

MARKER = "Quillfeather"
ADDRESS = {"street": f"{MARKER} Street 1", "city": MARKER, "postcode": f"{MARKER}-10115", "country": "DE"}
CUSTOMER = Customer(f"{MARKER}-customer", f"{MARKER}@customer.example", f"{MARKER} Name", ADDRESS)
CARD = f"tok_{MARKER}"
SAID = f"{CUSTOMER.customer}, {CUSTOMER.name} <{CUSTOMER.email}>, {ADDRESS['street']}, {ADDRESS['postcode']}, {MARKER}: {CARD} is bad"

FIELDS = ("reason", "detail", "message", "error", "label", SAID)
"""Of an answer of JSON, beside its status; numbers of charges and parcels are names, and stay as they are."""
ANSWERS = [
    *((code, json.dumps({"status": status, "tracking_number": str(uuid.uuid4()), **dict.fromkeys(FIELDS, SAID)}).encode())
      for code, status in itertools.product((200, 201, 402, 404, 409, 422, 500), ("declined", "captured", "refunded", SAID))),
    *((code, SAID.encode()) for code in (200, 400, 402, 422, 503)),
]  # fmt: skip


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Begins to write a log as a worker does, and gives its lines."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)

    def begin() -> Any:
        logs.configure(ServiceSettings(database_url="postgresql+psycopg://h/d", broker_url="amqp://h/v"), "orders")
        return lambda: capsys.readouterr().err

    yield begin
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    logging.captureWarnings(False)


@pytest.mark.parametrize("step", SAGAS)
def test_what_the_outside_repeats_of_a_customer_is_kept_nowhere(
    back: Back,  # noqa: F811
    step: Step,
    written: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stranger, registry, spans, lines = HttpStranger(), CollectorRegistry(), recorded_spans(monkeypatch), written()
    monkeypatch.setattr(metrics, "_set", metrics.Metrics("till", registry))
    wire = Wire(stranger.url, name="stranger", total_seconds=5.0)
    orders = back.orders(Printer(), payments=HttpPayments(wire), carrier=HttpCarrier(wire))
    for code, body in ANSWERS:
        order = make_order(str(uuid.uuid4()), SAGAS[step], customer=CUSTOMER, card=CARD)
        with back.engine.begin() as conn:
            conn.execute(order_rows.ADD, order_rows.values(order, 900))
        back.rows("UPDATE orders SET tracking_number = id WHERE id = CAST(:id AS uuid) RETURNING id", id=order.id)
        stranger.script = http(code, body, b"Content-Type: application/json")
        orders.perform(step, back.issue(step_command(order.id, step)))
        back.rows("DELETE FROM outbox WHERE state = 'open' AND last_error IS NULL RETURNING id")
    stranger.close()

    kept = {
        "log": lines(),
        "spans": "\n".join(span.to_json() for span in spans()),
        "metrics": generate_latest(registry).decode(),
        "parked": "\n".join(map(str, back.rows("SELECT * FROM parked"))),
        "tried again": "\n".join(map(str, back.rows("SELECT last_error FROM outbox"))),
        "reasons": "\n".join(map(str, back.rows("SELECT reason FROM orders"))),
        "timeline": "\n".join(map(str, back.rows("SELECT * FROM timeline"))),
    }
    assert "POST /" in kept["spans"] or "DELETE /" in kept["spans"] or "GET /" in kept["spans"]
    assert '"event": "' in kept["log"]
    assert {} == {
        where: found
        for where, text in kept.items()
        if (found := [line[:300] for line in text.splitlines() if MARKER.lower() in line.lower()][:3])
    }
