"""Placing orders over HTTP: accepted once, priced from the catalogue, within limits."""

import copy
import threading
from typing import Any

import pytest

from orders.domain.order import Product

Shop = Any


def test_an_accepted_order_is_told_what_it_costs(shop: Shop, wanted: dict[str, Any]) -> None:
    answer = shop.place(wanted)

    assert (
        answer.status_code,
        *(answer.json()[name] for name in ("state", "total_minor", "currency")),
    ) == (202, "pending", 4440, "EUR")


def test_an_accepted_order_has_one_open_command_its_first_step(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)

    assert [(f"{order_id}/reserve_stock", "orders.reserve_stock", "orders.saga", {"v": 1, "order": order_id})] == [
        tuple(row) for row in shop.rows("SELECT key, task, queue, body FROM outbox")
    ]


def test_an_accepted_order_begins_its_timeline(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)

    events = shop.client("ann-token").get(f"/orders/{order_id}/timeline").json()["events"]
    assert [(event["kind"], event["detail"]) for event in events] == [
        ("placed", {"state": "pending", "total_minor": 4440, "currency": "EUR"})
    ]


def test_a_whole_number_may_be_written_with_a_point(shop: Shop, wanted: dict[str, Any]) -> None:
    wanted["lines"][0]["quantity"] = 2.0

    assert shop.place(wanted).json()["total_minor"] == 4440


def test_a_repeat_gets_the_first_answer(shop: Shop, wanted: dict[str, Any]) -> None:
    first, second = shop.place(wanted), shop.place(wanted)

    assert (200, first.json()) == (second.status_code, second.json())


def test_a_repeat_gets_the_first_answer_after_prices_changed(shop: Shop, wanted: dict[str, Any]) -> None:
    first = shop.place(wanted)
    shop.run("UPDATE products SET price_minor = 1")

    assert first.json() == shop.place(wanted).json()


def test_prices_are_fixed_at_acceptance(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    shop.run("UPDATE products SET price_minor = 1")

    lines = shop.client("ann-token").get(f"/orders/{order_id}").json()["lines"]
    assert [(line["unit_price_minor"], line["amount_minor"]) for line in lines] == [(1995, 3990), (450, 450)]


@pytest.mark.parametrize(
    "change",
    [
        {"card": "tok_other"},
        {"name": "Bob Example"},
        {"email": "bob@example.com"},
        {"lines": [{"sku": "LAMP", "quantity": 3}]},
        {"address": {"street": "2 High Street", "city": "Leeds", "postcode": "LS1 4DY", "country": "GB"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_key_of_another_request_is_422(shop: Shop, wanted: dict[str, Any], change: dict[str, Any]) -> None:
    shop.placed(wanted)

    answer = shop.place({**wanted, **change})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_a_request_that_a_restored_database_forgot_makes_the_same_order_again(
    shop: Shop, wanted: dict[str, Any]
) -> None:
    first = shop.placed(wanted)
    shop.run("TRUNCATE orders, order_lines, intake_keys, outbox")

    assert first == shop.placed(wanted)


def test_a_key_that_was_forgotten_still_names_its_order(shop: Shop, wanted: dict[str, Any]) -> None:
    first = shop.place(wanted)
    shop.run("DELETE FROM intake_keys")
    shop.run("UPDATE products SET price_minor = 1")

    again = shop.place(wanted)

    assert (200, first.json()) == (again.status_code, again.json())
    assert 1 == len(shop.rows("SELECT 1 FROM outbox"))


def test_a_key_that_was_forgotten_is_no_key_for_another_request(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)
    shop.run("DELETE FROM intake_keys")

    assert 422 == shop.place({**wanted, "card": "tok_other"}).status_code


def test_a_price_set_by_an_operator_is_remembered_with_the_order(shop: Shop, wanted: dict[str, Any]) -> None:
    wanted["customer"], wanted["lines"][0]["amount_minor"] = "ann", 1
    first = shop.place(wanted, token="op-token")
    shop.run("DELETE FROM intake_keys")

    assert (200, first.json()) == ((again := shop.place(wanted, token="op-token")).status_code, again.json())


def test_the_order_of_fields_makes_no_other_request(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)

    assert shop.place(dict(reversed(wanted.items()))).status_code == 200


def test_two_customers_may_use_the_same_key(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)

    assert shop.place(wanted, token="bob-token").status_code == 202


def test_an_operators_key_is_not_the_customers(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)

    assert shop.place({**wanted, "customer": "ann"}, token="op-token").status_code == 202


def test_of_two_requests_at_once_one_makes_the_order_and_both_hear_of_it(shop: Shop, wanted: dict[str, Any]) -> None:
    answers: list[Any] = []
    start = threading.Barrier(8)

    def place() -> None:
        start.wait(30)
        answers.append(shop.place(wanted))

    threads = [threading.Thread(target=place) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert (
        sorted(answer.status_code for answer in answers),
        len({answer.json()["order_id"] for answer in answers}),
        len(shop.rows("SELECT 1 FROM orders")),
    ) == ([200] * 7 + [202], 1, 1)


def test_a_refused_order_leaves_its_key_free(shop: Shop, wanted: dict[str, Any]) -> None:
    bad = copy.deepcopy(wanted)
    bad["lines"][0]["sku"] = "NONE"
    shop.place(bad)

    assert shop.place(wanted).status_code == 202


def test_an_unknown_product_is_named(shop: Shop, wanted: dict[str, Any]) -> None:
    wanted["lines"].append({"sku": "NONE", "quantity": 1})

    answer = shop.place(wanted)

    assert (
        answer.status_code,
        answer.json()["errors"],
    ) == (422, [{"field": "lines[2].sku", "value": "NONE", "reason": "no such product"}])


def test_an_order_in_two_currencies_is_refused(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.client("op-token").put("/products/TEA", json={"name": "Tea", "price_minor": 300, "currency": "GBP"})
    wanted["lines"].append({"sku": "TEA", "quantity": 1})

    assert shop.place(wanted).status_code == 422


def test_only_operators_set_a_price(shop: Shop, wanted: dict[str, Any]) -> None:
    wanted["lines"][1]["amount_minor"] = 1

    answer = shop.place(wanted)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (403, "lines[1].amount_minor")


def test_an_operators_price_is_the_lines_amount_and_no_unit_price_is_invented(
    shop: Shop, wanted: dict[str, Any]
) -> None:
    wanted["lines"][1]["amount_minor"] = 77
    order_id = shop.placed({**wanted, "customer": "ann"}, token="op-token")

    line = shop.client("ann-token").get(f"/orders/{order_id}").json()["lines"][1]
    assert (line["unit_price_minor"], line["amount_minor"]) == (None, 77)


def test_only_operators_order_for_others(shop: Shop, wanted: dict[str, Any]) -> None:
    answer = shop.place({**wanted, "customer": "bob"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (403, "customer")


def test_a_customer_may_name_themselves(shop: Shop, wanted: dict[str, Any]) -> None:
    assert shop.place({**wanted, "customer": "ann"}).status_code == 202


def test_an_operator_names_the_customer(shop: Shop, wanted: dict[str, Any]) -> None:
    answer = shop.place(wanted, token="op-token")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "customer")


def test_a_customer_with_too_many_open_orders_waits(shop: Shop, wanted: dict[str, Any]) -> None:
    small = shop.over(open_orders_limit=1)
    small.placed(wanted)

    answer = small.place(wanted, key="k-2")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")


def test_finished_orders_do_not_count_as_open(shop: Shop, wanted: dict[str, Any]) -> None:
    small = shop.over(open_orders_limit=1)
    small.placed(wanted)
    shop.run("UPDATE orders SET state = 'delivered'")

    assert small.place(wanted, key="k-2").status_code == 202


def test_the_limit_of_open_orders_is_each_customers_own(shop: Shop, wanted: dict[str, Any]) -> None:
    small = shop.over(open_orders_limit=1)
    small.placed(wanted)

    assert small.place(wanted, token="bob-token").status_code == 202


def test_operators_may_have_any_number_of_open_orders(shop: Shop, wanted: dict[str, Any]) -> None:
    small = shop.over(open_orders_limit=1)
    small.placed({**wanted, "customer": "ann"}, token="op-token")

    assert small.place({**wanted, "customer": "ann"}, token="op-token", key="k-2").status_code == 202


def test_a_repeat_is_answered_whatever_the_limits(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)

    assert shop.over(open_orders_limit=1, open_commands_limit=1).place(wanted).status_code == 200


def test_nothing_is_accepted_while_too_much_is_open(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)

    answer = shop.over(open_commands_limit=1).place(wanted, key="k-2")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_parked_commands_do_not_keep_orders_out(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)
    shop.run("UPDATE outbox SET state = 'parked'")

    assert shop.over(open_commands_limit=1).place(wanted, key="k-2").status_code == 202


def test_a_new_price_holds_for_the_next_order(shop: Shop, wanted: dict[str, Any]) -> None:
    changed = {"name": "Lamp", "price_minor": 1, "currency": "EUR"}
    shop.client("op-token").put("/products/LAMP", json=changed)

    assert shop.place(wanted).json()["total_minor"] == 452


def test_the_catalogue_gives_every_product_asked_for(shop: Shop) -> None:
    from orders.adapters.intake_store import PostgresIntakeStore

    with PostgresIntakeStore(shop.engine).begin() as tx:
        found = tx.catalogue(["MUG", "NONE"])

    assert {"MUG": Product("MUG", "Mug", 450, "EUR")} == found
