"""Requests that break one rule each: answered with a 4xx that names the rule, and without any effect."""

from typing import Any

import pytest
from outside_servers import CLIENT, OutsideServer

pytestmark = pytest.mark.integration

CHARGE = {"order_id": "o-1", "amount_minor": 100, "currency": "EUR", "card": "tok_ok"}
ADDRESS = {"street": "Elm Street 5", "city": "Springwood", "postcode": "12345", "country": "US"}
SHIPMENT = {"order_id": "o-1", "address": ADDRESS, "weight_g": 1}
PLAN = {"rate": {"slow": 0.1}}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {member: value for member, value in body.items() if member != name}


CHARGES = [
    *[(without(CHARGE, name), name) for name in CHARGE],
    ({**CHARGE, "amount_minor": 0}, "amount_minor"),
    ({**CHARGE, "amount_minor": -5}, "amount_minor"),
    ({**CHARGE, "amount_minor": 1.5}, "amount_minor"),
    ({**CHARGE, "amount_minor": "100"}, "amount_minor"),
    ({**CHARGE, "amount_minor": True}, "amount_minor"),
    ({**CHARGE, "amount_minor": 10**30}, "amount_minor"),
    ({**CHARGE, "currency": "eur"}, "currency"),
    ({**CHARGE, "currency": "EURO"}, "currency"),
    ({**CHARGE, "currency": "EUR\n"}, "currency"),
    ({**CHARGE, "card": ""}, "card"),
    ({**CHARGE, "card": None}, "card"),
    ({**CHARGE, "order_id": "o" * 101}, "order_id"),
    ({**CHARGE, "tip_minor": 5}, "tip_minor"),
    ([], "body"),
    (None, "body"),
]


@pytest.mark.parametrize(("body", "field"), CHARGES, ids=lambda part: str(part)[:50])
def test_a_wrong_charge_names_its_field(healthy_payments: OutsideServer, body: Any, field: str) -> None:
    answer = CLIENT.post(f"{healthy_payments.url}/charges", json=body, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert field in {wrong["field"] for wrong in answer.json()["errors"]}
    assert healthy_payments.ledger() == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"order_id": "\\ud800"}', b"[" * 5_000, b"NaN"])
def test_a_body_that_is_no_json_is_refused(healthy_payments: OutsideServer, content: bytes) -> None:
    answer = CLIENT.post(f"{healthy_payments.url}/charges", content=content, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 422
    assert healthy_payments.ledger() == []


def test_a_body_without_end_is_refused(healthy_payments: OutsideServer) -> None:
    answer = CLIENT.post(f"{healthy_payments.url}/charges", content=b" " * 70_000, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 413


@pytest.mark.parametrize("key", [None, "", "k" * 256, b"k\xe9y"])
@pytest.mark.parametrize("path", ["charges", "shipments"])
def test_an_effect_needs_a_key(
    healthy_payments: OutsideServer, healthy_carrier: OutsideServer, path: str, key: str | bytes | None
) -> None:
    server, body = (healthy_payments, CHARGE) if path == "charges" else (healthy_carrier, SHIPMENT)
    headers: Any = {} if key is None else {"Idempotency-Key": key}

    answer = CLIENT.post(f"{server.url}/{path}", json=body, headers=headers)

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["detail"]
    assert server.ledger() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        *[(without(SHIPMENT, name), name) for name in SHIPMENT],
        *[({**SHIPMENT, "address": without(ADDRESS, name)}, f"address.{name}") for name in ADDRESS],
        ({**SHIPMENT, "address": {**ADDRESS, "planet": "Mars"}}, "address.planet"),
        ({**SHIPMENT, "address": {**ADDRESS, "city": 5}}, "address.city"),
        ({**SHIPMENT, "address": "here"}, "address"),
        ({**SHIPMENT, "weight_g": 0}, "weight_g"),
        ({**SHIPMENT, "weight_g": 1e3}, "weight_g"),
    ],
    ids=lambda part: str(part)[-50:],
)
def test_a_wrong_shipment_names_its_field(healthy_carrier: OutsideServer, body: Any, field: str) -> None:
    answer = CLIENT.post(f"{healthy_carrier.url}/shipments", json=body, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 422
    assert field in {wrong["field"] for wrong in answer.json()["errors"]}
    assert healthy_carrier.ledger() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/charges/never-seen", 404),
        ("PUT", "/charges", 405),
        ("POST", "/ledger", 405),
        ("GET", "/ledger?after=-1", 422),
        ("GET", "/ledger?limit=ten", 422),
        ("GET", "/ledger?after=" + "9" * 30, 422),
    ],
)
def test_a_wrong_path_or_query_is_a_problem(
    healthy_payments: OutsideServer, method: str, path: str, status: int
) -> None:
    answer = healthy_payments.admin(method, path)

    assert (status, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert status == answer.json()["status"]


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"rate": {"slwo": 0.1}},
        {"rate": {"callback_reorder": 0.1}},
        {"rate": {"slow": 2}},
        {"rate": {"slow": 0.6, "decline": 0.6}},
        {**PLAN, "seed": "one"},
        {**PLAN, "expires_in_seconds": 0},
        {**PLAN, "hang_second": 3},
    ],
    ids=str,
)
def test_a_wrong_fault_plan_is_refused_and_changes_nothing(
    healthy_payments: OutsideServer, plan: dict[str, Any]
) -> None:
    healthy_payments.admin("PUT", "/admin/faults", json=PLAN)

    answer = healthy_payments.admin("PUT", "/admin/faults", json=plan)

    assert answer.status_code == 422
    assert PLAN["rate"] == healthy_payments.admin("GET", "/admin/faults").json()["plan"]["rate"]


@pytest.mark.parametrize("outage", [{}, {"seconds": 0}, {"seconds": 5, "mode": "explode"}, {"seconds": "5"}], ids=str)
def test_a_wrong_outage_is_refused(healthy_payments: OutsideServer, outage: dict[str, Any]) -> None:
    assert healthy_payments.admin("POST", "/admin/outage", json=outage).status_code == 422
    assert healthy_payments.admin("GET", "/admin/faults").json()["outage"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "changed_since"),
        ("?changed_since=yesterday", "changed_since"),
        ("?changed_since=-1", "changed_since"),
        ("?changed_since=0&limit=0", "limit"),
        ("?changed_since=0&limit=501", "limit"),
        ("?changed_since=0&limit=ten", "limit"),
    ],
)
def test_a_list_of_changes_asked_for_wrongly_names_the_field(
    healthy_payments: OutsideServer, healthy_carrier: OutsideServer, query: str, field: str
) -> None:
    answers = [
        CLIENT.get(f"{healthy_payments.url}/charges{query}"),
        CLIENT.get(f"{healthy_carrier.url}/shipments{query}"),
    ]

    assert [(422, field)] * 2 == [(answer.status_code, answer.json()["errors"][0]["field"]) for answer in answers]
