"""Looking at orders, cancelling them, and the stock."""

from typing import Any
from uuid import uuid4

import pytest

from orders.domain.saga import Parcel, Payment, Saga, State, Step, Stock, Stop

Shop = Any

PLACES = ["", "/timeline", "/events", "/label"]


@pytest.mark.parametrize("place", PLACES)
def test_anothers_order_is_not_there(shop: Shop, wanted: dict[str, Any], place: str) -> None:
    order_id = shop.placed(wanted)
    shop.run("INSERT INTO labels VALUES (CAST(:id AS uuid), 'T1', 'pdf')", id=order_id)

    assert shop.client("bob-token").get(f"/orders/{order_id}{place}").status_code == 404


@pytest.mark.parametrize("place", PLACES)
def test_without_a_token_nothing_is_told(shop: Shop, place: str) -> None:
    answer = shop.client().get(f"/orders/{uuid4()}{place}")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("place", PLACES)
def test_an_order_that_never_was_is_not_there(shop: Shop, place: str) -> None:
    assert shop.client("op-token").get(f"/orders/{uuid4()}{place}").status_code == 404


@pytest.mark.parametrize("place", ["nonsense", "1", "%00", "{}", "0" * 400])
def test_what_is_no_id_is_422(shop: Shop, place: str) -> None:
    answer = shop.client("ann-token").get(f"/orders/{place}")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "order_id")


def test_what_an_order_waits_for_is_told_to_operators_only(shop: Shop, wanted: dict[str, Any]) -> None:
    path = f"/orders/{shop.placed(wanted)}"
    waiting = [shop.client(token).get(path).json()["waiting"] for token in ("op-token", "ann-token")]

    assert ([command["task"] for command in waiting[0]], waiting[1]) == (["orders.reserve_stock"], [])


def test_a_list_shows_a_customers_own_orders(shop: Shop, wanted: dict[str, Any]) -> None:
    mine = shop.placed(wanted)
    shop.placed(wanted, token="bob-token")

    assert [mine] == [order["order_id"] for order in shop.client("ann-token").get("/orders").json()["orders"]]


def test_a_list_shows_operators_all_orders(shop: Shop, wanted: dict[str, Any]) -> None:
    both = {shop.placed(wanted), shop.placed(wanted, token="bob-token")}

    assert both == {order["order_id"] for order in shop.client("op-token").get("/orders").json()["orders"]}


def test_a_list_may_be_asked_for_one_customer(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)
    bobs = shop.placed(wanted, token="bob-token")

    found = shop.client("op-token").get("/orders", params={"customer": "bob"}).json()["orders"]
    assert [bobs] == [order["order_id"] for order in found]


def test_a_parameter_that_is_given_twice_is_422_and_named(shop: Shop) -> None:
    answer = shop.client("op-token").get("/orders?customer=ann&customer=bob")

    assert (422, "customer: given 2 times") == (answer.status_code, answer.json()["detail"])


def test_customers_may_not_ask_for_anothers_list(shop: Shop) -> None:
    assert shop.client("ann-token").get("/orders", params={"customer": "bob"}).status_code == 403


def test_a_list_may_be_asked_for_one_state(shop: Shop, wanted: dict[str, Any]) -> None:
    shop.placed(wanted)

    assert shop.client("ann-token").get("/orders", params={"state": "paid"}).json()["orders"] == []


def test_pages_follow_one_another_newest_first(shop: Shop, wanted: dict[str, Any]) -> None:
    placed = [shop.placed(wanted, key=f"k-{n}") for n in range(5)]
    client, seen, after = shop.client("ann-token"), [], None
    while True:
        page = client.get("/orders", params={"limit": 2} | ({"after": after} if after else {})).json()
        seen += [order["order_id"] for order in page["orders"]]
        after = page["next"]
        if after is None:
            break

    assert placed[::-1] == seen


def test_a_page_behind_anothers_order_is_404(shop: Shop, wanted: dict[str, Any]) -> None:
    bobs = shop.placed(wanted, token="bob-token")

    answer = shop.client("ann-token").get("/orders", params={"after": bobs})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, "after")


def test_a_timeline_is_read_in_pages(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    shop.client("ann-token").post(f"/orders/{order_id}/cancel")
    path, client = f"/orders/{order_id}/timeline", shop.client("ann-token")
    first = client.get(path, params={"limit": 1}).json()
    second = client.get(path, params={"limit": 1, "after": first["next"]}).json()

    assert [page["events"][0]["kind"] for page in (first, second)] == ["placed", "cancel_requested"]


def test_a_label_is_a_pdf(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    shop.run("INSERT INTO labels VALUES (CAST(:id AS uuid), 'T1', '%PDF')", id=order_id)

    answer = shop.client("ann-token").get(f"/orders/{order_id}/label")

    assert (answer.headers["content-type"], answer.content) == ("application/pdf", b"%PDF")


def test_a_cancelled_order_is_told_to_stop(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    shop.client("ann-token").post(f"/orders/{order_id}/cancel")

    found = shop.client("ann-token").get(f"/orders/{order_id}").json()
    assert (found["stopping"], found["reason"]) == ("cancelled", "cancelled by the customer")


def test_cancelling_twice_changes_nothing(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    answers = [shop.client("ann-token").post(f"/orders/{order_id}/cancel").status_code for _ in range(2)]

    assert (answers, len(shop.rows("SELECT 1 FROM timeline"))) == ([202, 202], 2)


def test_cancelling_an_order_with_no_step_under_way_issues_the_first_one_back(
    shop: Shop, wanted: dict[str, Any]
) -> None:
    order_id = shop.placed(wanted)
    shop.run("DELETE FROM outbox")
    shop.become(order_id, Saga(State.PAID, Stock.HELD, Payment.CAPTURED))
    shop.client("ann-token").post(f"/orders/{order_id}/cancel")

    assert [(f"{order_id}/{Step.REFUND_PAYMENT}",)] == [tuple(row) for row in shop.rows("SELECT key FROM outbox")]


@pytest.mark.parametrize(
    "saga",
    [
        Saga(State.SHIPPED, Stock.SHIPPED, Payment.CAPTURED, Parcel.HANDED_OVER),
        Saga(State.DELIVERED, Stock.SHIPPED, Payment.CAPTURED, Parcel.HANDED_OVER, delivered=True),
        Saga(State.FAILED, Stock.RELEASED, Payment.DECLINED, stop=Stop.REFUSED),
    ],
    ids=lambda saga: saga.state,
)
def test_it_can_be_too_late_to_cancel(shop: Shop, wanted: dict[str, Any], saga: Saga) -> None:
    order_id = shop.placed(wanted)
    shop.become(order_id, saga)

    answer = shop.client("ann-token").post(f"/orders/{order_id}/cancel")

    assert (409, saga.state) == (answer.status_code, answer.json()["errors"][0]["value"])


def test_anothers_order_cannot_be_cancelled(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)

    assert shop.client("bob-token").post(f"/orders/{order_id}/cancel").status_code == 404


def test_an_operator_may_cancel_any_order(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)

    assert shop.client("op-token").post(f"/orders/{order_id}/cancel").status_code == 202


def test_cancelling_keeps_what_needs_attention(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    shop.run("UPDATE orders SET needs_attention = 'look here'")
    shop.client("ann-token").post(f"/orders/{order_id}/cancel")

    assert shop.client("op-token").get(f"/orders/{order_id}").json()["needs_attention"] == "look here"


def test_goods_that_came_in_are_in_stock(shop: Shop) -> None:
    shop.client("op-token").post("/stock/MUG", json={"add": 5})

    assert shop.client("ann-token").get("/stock/MUG").json()["free"] == 15


def test_a_named_delivery_is_added_once(shop: Shop) -> None:
    arrival = {"add": 5, "delivery_id": str(uuid4())}
    levels = [shop.client("op-token").post("/stock/MUG", json=arrival).json()["on_hand"] for _ in range(2)]

    assert levels == [15, 15]


def test_goods_nobody_knows_cannot_come_in(shop: Shop) -> None:
    assert shop.client("op-token").post("/stock/NONE", json={"add": 5}).status_code == 404


def test_a_new_product_is_201_and_has_an_empty_stock(shop: Shop) -> None:
    answer = shop.client("op-token").put("/products/TEA", json={"name": "Tea", "price_minor": 3, "currency": "EUR"})

    assert (answer.status_code, answer.json()["on_hand"]) == (201, 0)


def test_a_changed_product_keeps_its_stock(shop: Shop) -> None:
    answer = shop.client("op-token").put("/products/MUG", json={"name": "Mug", "price_minor": 3, "currency": "EUR"})

    assert (answer.status_code, answer.json()["on_hand"], answer.json()["price_minor"]) == (200, 10, 3)


@pytest.mark.parametrize(("method", "path"), [("POST", "/stock/MUG"), ("PUT", "/products/MUG")])
def test_customers_may_not_change_the_catalogue(shop: Shop, method: str, path: str) -> None:
    assert shop.client("ann-token").request(method, path, json={}).status_code == 403


def test_the_stock_is_read_in_pages(shop: Shop) -> None:
    client = shop.client("ann-token")
    first = client.get("/stock", params={"limit": 1}).json()
    second = client.get("/stock", params={"limit": 1, "after": first["next"]}).json()

    assert [page["products"][0]["sku"] for page in (first, second)] == ["LAMP", "MUG"]
