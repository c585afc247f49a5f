"""Secrets of an installation: made to fit each other, and to fit what is there."""

import base64
import hashlib
import json
import re

import pytest

from conductor.cluster import secrets
from conductor.cluster.names import Names
from conductor.cluster.secrets import Broker, Values
from conductor.errors import Refused

ORDERS, ANALYTICS = Names("orders"), Names("analytics")
BOTH = ("orders", "analytics")


def made_of(*capstones: str, namespace: str = "capstones", broker: Broker = "rabbitmq") -> dict[str, Values]:
    """All Secrets of a new installation."""
    return secrets.missing({}, namespace=namespace, capstones=capstones or ("orders",), broker=broker)


def test_everything_is_made_where_nothing_is_there() -> None:
    assert set(secrets.names(BOTH)) == set(made_of(*BOTH))


def test_the_platform_of_any_capstone_has_the_secrets_of_its_whole_outside_world() -> None:
    # The base runs the carrier, whichever capstone is installed.
    assert {"CARRIER_SECRET"} == set(made_of("trading")["carrier"])


def test_nothing_is_made_where_everything_is_there() -> None:
    all_of_it = made_of(*BOTH)

    assert {} == secrets.missing(all_of_it, namespace="capstones", capstones=BOTH)


@pytest.mark.parametrize("lost", secrets.names(BOTH))
def test_what_is_lost_is_made_again_to_fit_the_rest(lost: str) -> None:
    before = made_of(*BOTH)
    rest = {name: values for name, values in before.items() if name != lost}

    assert [lost] == list(secrets.missing(rest, namespace="capstones", capstones=BOTH))


def test_two_installations_share_no_password() -> None:
    one, other = (made_of() for _ in range(2))

    assert set() == set(one["postgres"].values()) & set(other["postgres"].values()) - {"orders_a"}


def test_the_service_logs_in_at_the_database_as_the_secret_says() -> None:
    made = made_of()
    postgres = made["postgres"]

    expected = f"postgresql+psycopg://orders_a:{postgres['ORDERS_PASSWORD']}@postgres:5432/orders"
    assert expected == made["orders"]["DATABASE_URL"]


def test_what_opens_the_ledgers_is_given_to_nothing_that_is_judged_by_them() -> None:
    made = made_of()
    token = made["outside-admin"]["OUTSIDE_ADMIN_TOKEN"]

    assert ["outside-admin"] == [name for name, values in made.items() if token in str(values)]


def test_the_broker_knows_the_password_that_the_service_has() -> None:
    made = made_of()
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
    matches = re.compile(ORDERS.touched).search

    assert ([True] * len(own), [False] * len(foreign)) == (
        [bool(matches(n)) for n in own],
        [bool(matches(n)) for n in foreign],
    )


def test_only_the_administrator_is_one() -> None:
    made = made_of()
    users = json.loads(made["rabbitmq"]["definitions.json"])["users"]

    assert ["admin"] == [user["name"] for user in users if "administrator" in user["tags"]]


def test_with_redis_as_the_broker_messages_and_shared_state_lie_apart() -> None:
    made = made_of(broker="redis")["orders"]

    assert made["BROKER_URL"].endswith("/1")
    assert made["STORE_URL"].endswith("/0")


def test_the_judge_only_reads() -> None:
    made = made_of()

    assert made["orders-conductor"]["DATABASE_URL"].startswith("postgresql://judge:")


def test_the_scaler_finds_the_broker_from_another_namespace() -> None:
    made = made_of(namespace="elsewhere")

    assert "@rabbitmq.elsewhere.svc:15672/orders" in made["orders-scaler"]["host"]


def test_a_capstone_that_comes_later_changes_nothing_that_is_there() -> None:
    before = made_of("orders")
    added = secrets.missing(before, namespace="capstones", capstones=BOTH)
    definitions = {
        name: json.loads(each["rabbitmq"]["definitions.json"]) for name, each in (("old", before), ("new", added))
    }

    assert {"postgres", "rabbitmq", "counters", "analytics", "analytics-scaler", "analytics-conductor"} == set(added)
    for server, key in (("postgres", "capstones.sql"), ("rabbitmq", "definitions.json")):
        assert {**before[server], key: ""}.items() <= {**added[server], key: ""}.items()
    for part in ("vhosts", "users", "permissions"):
        assert [one for one in definitions["old"][part] if one not in definitions["new"][part]] == []
    assert {"orders", "analytics"} == {one["name"] for one in definitions["new"]["vhosts"]}


def test_each_capstone_has_a_store_of_its_own_at_its_own_password() -> None:
    made = made_of(*BOTH)

    assert f"redis://:{made['counters']['password']}@counters:6379/0" == made["analytics"]["COUNTERS_URL"]
    assert made["counters"]["password"] != made["redis"]["password"]


def test_a_capstone_may_touch_no_virtual_host_but_its_own() -> None:
    definitions = json.loads(made_of(*BOTH)["rabbitmq"]["definitions.json"])
    allowed = {
        (one["user"], one["vhost"]) for one in definitions["permissions"] if one["user"] not in ("admin", "scaler")
    }

    assert {(login, own.vhost) for own in (ORDERS, ANALYTICS) for login in own.logins} == allowed


def test_capstones_share_no_database_of_redis() -> None:
    made = made_of(*BOTH, broker="redis")
    urls = [made[name][key] for name in BOTH for key in ("BROKER_URL", "STORE_URL")]

    assert len(urls) == len(set(urls))


def test_the_statements_for_postgres_name_each_capstone_and_its_login_in_use() -> None:
    postgres = made_of(*BOTH)["postgres"]

    for name in BOTH:
        assert f"CREATE DATABASE {name} OWNER {name}" in postgres["capstones.sql"]
        word = postgres[f"{name.upper()}_PASSWORD"]
        assert f"ALTER ROLE {name}_a PASSWORD '{word}';" in postgres["capstones.sql"]


def test_a_token_that_was_taken_out_of_the_secret_is_named() -> None:
    known = made_of()
    del known["orders-conductor"]
    known["orders"] |= {"API_TOKENS": '{"x": {"role": "operator"}}'}

    with pytest.raises(Refused, match="Secret orders has no token of customer"):
        secrets.missing(known, namespace="capstones", capstones=("orders",))


SHARDED = {"COUNTERS_SHARDS": "3"}


def test_a_store_that_is_a_cluster_is_named_by_all_its_servers() -> None:
    made = secrets.missing({}, namespace="capstones", capstones=("analytics",), settings={"analytics": SHARDED})

    word = made["counters"]["password"]
    assert made["analytics"]["COUNTERS_URL"].split(",") == [
        f"redis://:{word}@counters-cluster-{number}:6379/0" for number in range(3)
    ]


@pytest.mark.parametrize(("before", "asked", "said"), [({}, SHARDED, "1 servers here, and 3"), (SHARDED, {}, "3 .* 1")])
def test_another_number_of_servers_than_hold_the_counters_is_refused(
    before: dict[str, str], asked: dict[str, str], said: str
) -> None:
    made = secrets.missing({}, namespace="capstones", capstones=("analytics",), settings={"analytics": before})
    secrets.refuse_other_stores(ANALYTICS, made, before)

    with pytest.raises(Refused, match=f"analytics: the store counters has {said}"):
        secrets.refuse_other_stores(ANALYTICS, made, asked)


def test_an_overlay_tells_how_many_shards_the_analytics_have_and_on_what_they_stand() -> None:
    assert SHARDED.items() <= ANALYTICS.settings_of("sharded").items()
    assert {} == ANALYTICS.settings_of("kind")
    assert ["k8s", "sharded"] == [ANALYTICS.platform_of(overlay).parent.name for overlay in ("kind", "sharded")]
    brought = ("observability", "observability-jaeger", "sharded", "sharded-replicas")
    assert list(ANALYTICS.platforms) == [ANALYTICS.platform_of(overlay) for overlay in ("kind", *brought)]
    assert ORDERS.platform_of("sharded") == ORDERS.own_platform
