"""Requests that are wrong, one rule each: 4xx that names the field, never a 500, and nothing is kept."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Shop = Any
Change = Callable[[dict[str, Any]], Any]


def put(path: str, value: Any) -> Change:
    """A change of one place in the body: `lines.0.sku`."""

    def change(body: dict[str, Any]) -> None:
        *way, last = path.split(".")
        at: Any = body
        for step in way:
            at = at[int(step) if step.isdigit() else step]
        at[int(last) if last.isdigit() else last] = value

    return change


def without(name: str) -> Change:
    return lambda body: body.pop(name)


WRONG: dict[str, tuple[Change, str]] = {
    "no lines": (put("lines", []), "lines"),
    "too many lines": (put("lines", [{"sku": "MUG", "quantity": 1}] * 101), "lines"),
    "lines that are no list": (put("lines", {}), "lines"),
    "a line that is no object": (put("lines.0", 5), "lines[0]"),
    "no quantity": (put("lines.0", {"sku": "MUG"}), "lines[0].quantity"),
    "a quantity of none": (put("lines.0.quantity", 0), "lines[0].quantity"),
    "a negative quantity": (put("lines.0.quantity", -1), "lines[0].quantity"),
    "a quantity beyond sense": (put("lines.0.quantity", 10_001), "lines[0].quantity"),
    "a quantity beyond 64 bits": (put("lines.0.quantity", 2**70), "lines[0].quantity"),
    "a quantity in quotes": (put("lines.0.quantity", "1"), "lines[0].quantity"),
    "a broken quantity": (put("lines.0.quantity", 1.5), "lines[0].quantity"),
    "a quantity of true": (put("lines.0.quantity", True), "lines[0].quantity"),
    "a quantity of null": (put("lines.0.quantity", None), "lines[0].quantity"),
    "a price of nothing": (put("lines.0.amount_minor", 0), "lines[0].amount_minor"),
    "an empty sku": (put("lines.0.sku", ""), "lines[0].sku"),
    "a sku with a space": (put("lines.0.sku", "A B"), "lines[0].sku"),
    "a long sku": (put("lines.0.sku", "A" * 65), "lines[0].sku"),
    "a sku that ends its line": (put("lines.0.sku", "MUG\n"), "lines[0].sku"),
    "an unknown field": (put("coupon", "x"), "coupon"),
    "an unknown field in a line": (put("lines.0.colour", "red"), "lines[0].colour"),
    "no email": (without("email"), "email"),
    "no name": (without("name"), "name"),
    "no address": (without("address"), "address"),
    "no card": (without("card"), "card"),
    "an email without a domain": (put("email", "ann"), "email"),
    "an email without a dot": (put("email", "ann@home"), "email"),
    "an email of two": (put("email", "a@example.com,b@example.com"), "email"),
    "an email with a header": (put("email", "a@example.com\r\nBcc: b@example.com"), "email"),
    "a long email": (put("email", "a@" + "b" * 60 + ".c" * 100), "email"),
    "an empty name": (put("name", ""), "name"),
    "a blank name": (put("name", "   "), "name"),
    "a long name": (put("name", "n" * 201), "name"),
    "a name with a null character": (put("name", "A\x00nn"), "name"),
    "a name with a line break": (put("name", "Ann\nBcc: x"), "name"),
    "a name that is a list": (put("name", ["Ann"]), "name"),
    "an address without a street": (put("address", {"city": "L", "postcode": "1", "country": "GB"}), "address.street"),
    "a null character in the city": (put("address.city", "\x00"), "address.city"),
    "a country by its name": (put("address.country", "England"), "address.country"),
    "a long postcode": (put("address.postcode", "1" * 21), "address.postcode"),
    "a card number": (put("card", "4111111111111111"), "card"),
    "a customer with a colon": (put("customer", ":operator"), "customer"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_order_is_422_and_names_the_field(shop: Shop, wanted: dict[str, Any], name: str) -> None:
    change, field = WRONG[name]
    change(wanted)

    answer = shop.place(wanted)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_everything_that_is_wrong_is_named(shop: Shop, wanted: dict[str, Any]) -> None:
    wanted["email"], wanted["lines"][0]["quantity"] = "ann", 0

    answer = shop.place(wanted)

    assert {error["field"] for error in answer.json()["errors"]} == {"email", "lines[0].quantity"}


def test_a_wrong_value_is_repeated(shop: Shop, wanted: dict[str, Any]) -> None:
    wanted["email"] = "ann"

    assert shop.place(wanted).json()["errors"][0]["value"] == "ann"


RAW: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "no json": (b"order please", 400),
    "half of it": (b'{"lines": [', 400),
    "two of them": (b"{} {}", 400),
    "a comma too many": (b'{"lines": [],}', 400),
    "not in UTF-8": (b'{"name": "\xff\xfe"}', 400),
    "half a surrogate pair": (b'{"name": "\\ud800"}', 400),
    "a null character outright": (b'{"name": "\x00"}', 400),
    "endless depth": (b"[" * 60_000, 400),
    "endless depth of objects": (b'{"a":' * 10_000, 400),
    "a list": (b"[]", 422),
    "a number": (b"1", 422),
    "null": (b"null", 422),
    "a string": (b'"x"', 422),
    "not a number": (b'{"lines": NaN}', 422),
    "infinity": (b'{"lines": [{"sku": "MUG", "quantity": Infinity}]}', 422),
    "an endless integer": (b'{"lines": [{"sku": "MUG", "quantity": ' + b"9" * 5000 + b"}]}", 400),
}


@pytest.mark.parametrize("name", RAW)
def test_a_body_that_is_no_order_is_refused(shop: Shop, name: str) -> None:
    body, status = RAW[name]
    headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json"}

    answer = shop.client("ann-token").post("/orders", content=body, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


TWICE: dict[str, tuple[str, str, str]] = {
    "at the top": ('"name": "Ann Example"', '"name": "Bob", "name": "Ann Example"', "name"),
    "in an object": ('"city": "Leeds"', '"city": "York", "city": "Leeds"', "address.city"),
    "in an object of a list": ('"quantity": 1', '"quantity": 100, "quantity": 1', "lines[1].quantity"),
    "written otherwise": ('"card": "tok_ok"', '"c\\u0061rd": "tok_other", "card": "tok_ok"', "card"),
    "with the same value": ('"card": "tok_ok"', '"card": "tok_ok", "card": "tok_ok"', "card"),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_name_that_stands_twice_in_an_object_is_422_and_named(shop: Shop, wanted: dict[str, Any], name: str) -> None:
    once, twice, field = TWICE[name]
    body = json.dumps(wanted).replace(once, twice, 1)
    headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json"}

    answer = shop.client("ann-token").post("/orders", content=body, headers=headers)

    assert (422, field, "given 2 times") == (answer.status_code, *_first(answer))
    assert [] == shop.rows("SELECT 1 FROM orders")


def _first(answer: Any) -> tuple[str, str]:
    error = answer.json()["errors"][0]
    return error["field"], error["reason"]


def test_a_repeated_name_is_told_beside_what_else_is_wrong(shop: Shop, wanted: dict[str, Any]) -> None:
    body = json.dumps({**wanted, "email": "ann"}).replace('"card"', '"card": "tok_1", "card"')
    headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json"}

    answer = shop.client("ann-token").post("/orders", content=body, headers=headers)

    assert ["email", "card"] == [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_another_content_type_is_415(shop: Shop, wanted: dict[str, Any], kind: str) -> None:
    headers = {"Idempotency-Key": "k-1", "Content-Type": kind}

    answer = shop.client("ann-token").post("/orders", content=json.dumps(wanted), headers=headers)

    assert answer.status_code == 415


def test_a_content_type_may_name_its_encoding(shop: Shop, wanted: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json; charset=utf-8"}

    answer = shop.client("ann-token").post("/orders", content=json.dumps(wanted), headers=headers)

    assert answer.status_code == 202


@pytest.mark.parametrize("key", [None, "", " ", "a b", "k" * 201, "clé".encode().decode("latin-1"), "tab\t"])
def test_a_bad_idempotency_key_is_422(shop: Shop, wanted: dict[str, Any], key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}

    answer = shop.client("ann-token").post("/orders", json=wanted, headers=headers)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_a_key_of_200_visible_characters_is_good(shop: Shop, wanted: dict[str, Any]) -> None:
    assert shop.place(wanted, key="!~" * 100).status_code == 202


def test_a_body_of_64_kib_is_read(shop: Shop, wanted: dict[str, Any]) -> None:
    body = json.dumps(wanted).ljust(64 * 1024)
    headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json"}

    assert shop.client("ann-token").post("/orders", content=body, headers=headers).status_code == 202


@pytest.mark.parametrize("path", ["/orders", "/callbacks/carrier", "/orders/x/cancel", "/nowhere"])
def test_a_longer_body_is_413_wherever_it_goes(shop: Shop, path: str) -> None:
    answer = shop.client().post(path, content=b" " * (64 * 1024 + 1))

    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_a_body_that_does_not_say_its_length_is_413_as_well(shop: Shop) -> None:
    assert shop.client().post("/orders", content=iter([b" " * 1024] * 65)).status_code == 413


def test_a_stranger_learns_nothing_of_a_body(shop: Shop) -> None:
    assert shop.client().post("/orders", content=b"nonsense").status_code == 401


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer nobody", "Basic YTpi", "ann-token", "Bearer ann-token x", "é"]
)
def test_a_bad_token_is_401(shop: Shop, authorization: str) -> None:
    answer = shop.client().get("/orders", headers={"Authorization": authorization.encode("latin-1")})

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


QUERIES: dict[str, tuple[str, str]] = {
    "no limit": ("/orders?limit=0", "limit"),
    "a limit beyond sense": ("/orders?limit=501", "limit"),
    "a limit in words": ("/orders?limit=ten", "limit"),
    "a state that is none": ("/orders?state=lost", "state"),
    "a page behind nonsense": ("/orders?after=x", "after"),
    "a filter that is misspelt": ("/orders?stat=paid", "stat"),
    "a parameter where none is": ("/stock/MUG?after=x", "after"),
    "a customer with a null character": ("/orders?customer=%00", "customer"),
    "a sku with a null character": ("/stock/%00", "sku"),
    "a page behind a null character": ("/stock?after=%00", "after"),
    "events before the first": ("/orders/00000000-0000-0000-0000-000000000000/timeline?after=-1", "after"),
    "events beyond 64 bits": (
        "/orders/00000000-0000-0000-0000-000000000000/timeline?after=9223372036854775808",
        "after",
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_wrong_parameter_is_422_and_named(shop: Shop, name: str) -> None:
    path, field = QUERIES[name]

    answer = shop.client("op-token").get(path)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("last", ["-1", "x", "1.5", "9223372036854775808"])
def test_a_wrong_last_event_id_is_422(shop: Shop, wanted: dict[str, Any], last: str) -> None:
    path = f"/orders/{shop.placed(wanted)}/events"

    assert shop.client("ann-token").get(path, headers={"Last-Event-ID": last}).status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/stock/MUG", {"add": 0}, "add"),
        ("/stock/MUG", {"add": 10**9 + 1}, "add"),
        ("/stock/MUG", {"add": 1, "delivery_id": "x"}, "delivery_id"),
        ("/stock/MUG", {}, "add"),
    ],
)
def test_a_wrong_delivery_is_422(shop: Shop, path: str, body: dict[str, Any], field: str) -> None:
    answer = shop.client("op-token").post(path, json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"price_minor": 0}, "price_minor"), ({"currency": "euro"}, "currency"), ({"name": "\x00"}, "name")],
)
def test_a_wrong_product_is_422(shop: Shop, change: dict[str, Any], field: str) -> None:
    body = {"name": "Tea", "price_minor": 1, "currency": "EUR", **change}

    answer = shop.client("op-token").put("/products/TEA", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_another_method_is_405_and_says_which_are_good(shop: Shop) -> None:
    answer = shop.client("ann-token").patch("/stock")

    assert (answer.status_code, answer.headers["allow"], answer.headers["content-type"]) == (
        405,
        "GET",
        "application/problem+json",
    )


def test_another_path_is_404(shop: Shop) -> None:
    answer = shop.client("ann-token").get("/order")

    assert (answer.status_code, answer.headers["content-type"], answer.json()["errors"][0]["value"]) == (
        404,
        "application/problem+json",
        "/order",
    )


def test_our_own_mistake_is_a_500_that_tells_nothing(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)
    shop.run('UPDATE orders SET saga = \'{"state": "of mind"}\'')

    answer = shop.client("ann-token").get("/orders")

    assert (answer.status_code, answer.json()["detail"]) == (500, "this is our mistake; it was logged")


def test_what_was_refused_left_nothing(shop: Shop, wanted: dict[str, Any]) -> None:
    wanted["lines"][0]["quantity"] = 0
    shop.place(wanted)

    tables = ("orders", "order_lines", "timeline", "outbox", "intake_keys")
    assert [len(shop.rows(f"SELECT 1 FROM {table}")) for table in tables] == [0] * 5
