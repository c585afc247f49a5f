"""Secrets of an installation: made to fit each other, and to fit what is there."""

import base64
import hashlib
import json
import re

import pytest

from conductor.cluster import secrets


def test_everything_is_made_where_nothing_is_there() -> None:
    assert set(secrets.names()) == set(secrets.missing({}, namespace="capstones"))


def test_nothing_is_made_where_everything_is_there() -> None:
    all_of_it = secrets.missing({}, namespace="capstones")

    assert {} == secrets.missing(all_of_it, namespace="capstones")


@pytest.mark.parametrize("lost", secrets.names())
def test_what_is_lost_is_made_again_to_fit_the_rest(lost: str) -> None:
    before = secrets.missing({}, namespace="capstones")
    rest = {name: values for name, values in before.items() if name != lost}

    assert [lost] == list(secrets.missing(rest, namespace="capstones"))


def test_two_installations_share_no_password() -> None:
    one, other = (secrets.missing({}, namespace="capstones") for _ in range(2))

    assert set() == set(one["postgres"].values()) & set(other["postgres"].values()) - {"orders_a"}


def test_the_service_logs_in_at_the_database_as_the_secret_says() -> None:
    made = secrets.missing({}, namespace="capstones")
    postgres = made["postgres"]

    expected = f"postgresql+psycopg://orders_a:{postgres['ORDERS_PASSWORD']}@postgres:5432/orders"
    assert expected == made["orders"]["DATABASE_URL"]


def test_what_opens_the_ledgers_is_given_to_nothing_that_is_judged_by_them() -> None:
    made = secrets.missing({}, namespace="capstones")
    token = made["outside-admin"]["OUTSIDE_ADMIN_TOKEN"]

    assert ["outside-admin"] == [name for name, values in made.items() if token in str(values)]


def test_the_broker_knows_the_password_that_the_service_has() -> None:
    made = secrets.missing({}, namespace="capstones")
    users = {user["name"]: user for user in json.loads(made["rabbitmq"]["definitions.json"])["users"]}
    kept = base64.b64decode(users["orders_a"]["password_hash"])
    word = re.search(r"orders_a:([^@]+)@", made["orders"]["BROKER_URL"])[1]  # type: ignore[index]

    assert kept[4:] == hashlib.sha256(kept[:4] + word.encode()).digest()


def test_the_service_may_touch_what_is_its_own_and_no_more() -> None:
    own = (
        "orders",
        "orders.dead",
        "orders.saga",
        "orders.saga.dead",
        "celeryev",
        "saga@host-1.celery.pidbox",
        "amq.default",
    )
    foreign = ("analytics.ingest", "amq.topic", "ordersx", "pidbox")
    matches = re.compile(secrets.MINE).search

    assert ([True] * len(own), [False] * len(foreign)) == (
        [bool(matches(n)) for n in own],
        [bool(matches(n)) for n in foreign],
    )


def test_only_the_administrator_is_one() -> None:
    made = secrets.missing({}, namespace="capstones")
    users = json.loads(made["rabbitmq"]["definitions.json"])["users"]

    assert ["admin"] == [user["name"] for user in users if "administrator" in user["tags"]]


def test_with_redis_as_the_broker_messages_and_shared_state_lie_apart() -> None:
    made = secrets.missing({}, namespace="capstones", broker="redis")["orders"]

    assert made["BROKER_URL"].endswith("/1")
    assert made["STORE_URL"].endswith("/0")


def test_the_judge_only_reads() -> None:
    made = secrets.missing({}, namespace="capstones")

    assert made["conductor"]["DATABASE_URL"].startswith("postgresql://judge:")


def test_the_scaler_finds_the_broker_from_another_namespace() -> None:
    made = secrets.missing({}, namespace="elsewhere")

    assert "@rabbitmq.elsewhere.svc:15672/orders" in made["orders-scaler"]["host"]
