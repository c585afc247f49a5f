"""A database that is away or does not answer: 503 with Retry-After, soon, and the same key brings the order later."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from chassis import database
from orders.adapters.intake_store import PostgresIntakeStore
from orders.api import make_api
from orders.ports import StoreUnavailable
from served_orders import serving
from servers import Postgres, free_port, wait_until

Shop = Any
DEADLINE_SECONDS = 0.5


def over(shop: Shop, url: str, deadline_seconds: float = DEADLINE_SECONDS) -> Shop:
    """The shop over another database."""
    settings = shop.settings.replace(database_url=url, api_deadline_seconds=deadline_seconds)
    engine = database.connect(url)
    app = make_api(PostgresIntakeStore(engine), settings=settings, registry=CollectorRegistry())
    return type(shop)(engine, settings, app, CollectorRegistry())


@pytest.fixture
def away(shop: Shop) -> Shop:
    """A shop whose database refuses connections: that is known at once, and no deadline is what is told."""
    return over(shop, f"postgresql+psycopg://u:p@127.0.0.1:{free_port()}/d", deadline_seconds=30.0)


@pytest.fixture
def mute(shop: Shop) -> Iterator[Shop]:
    """A shop whose database takes connections and says nothing, like a server that was stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield over(shop, f"postgresql+psycopg://u:p@127.0.0.1:{listener.getsockname()[1]}/d")


NOBODYS = "28d5c0a9-2d33-46cd-96f2-7bd0eff7c158"
READS = ["/orders", f"/orders/{NOBODYS}", f"/orders/{NOBODYS}/timeline", f"/orders/{NOBODYS}/events", "/stock"]


@pytest.mark.parametrize("path", READS)
def test_reading_without_a_database_is_503(away: Shop, path: str) -> None:
    answer = away.client("ann-token").get(path)

    assert (answer.status_code, answer.headers["retry-after"], answer.headers["content-type"]) == (
        503,
        "1",
        "application/problem+json",
    )


def test_placing_without_a_database_is_503(away: Shop, wanted: dict[str, Any]) -> None:
    assert away.place(wanted).status_code == 503


def test_a_database_that_says_nothing_is_503_at_the_deadline(mute: Shop, wanted: dict[str, Any]) -> None:
    began = time.monotonic()
    answer = mute.place(wanted)

    assert (answer.status_code, time.monotonic() - began < DEADLINE_SECONDS + 2) == (503, True)


def test_a_place_that_hangs_may_be_repeated_with_its_key(shop: Shop, wanted: dict[str, Any]) -> None:
    hasty = shop.over(api_deadline_seconds=DEADLINE_SECONDS)
    with shop.engine.begin() as conn:
        conn.execute(sa.text("LOCK TABLE order_lines"))
        hung = hasty.place(wanted)
    again = shop.place(wanted)

    assert (hung.status_code, again.status_code in (200, 202), len(shop.rows("SELECT 1 FROM orders"))) == (503, True, 1)


def test_requests_that_hang_take_no_others_with_them(shop: Shop, wanted: dict[str, Any]) -> None:
    few = shop.over(api_deadline_seconds=DEADLINE_SECONDS, api_threads=1)
    with shop.engine.begin() as conn:
        conn.execute(sa.text("LOCK TABLE order_lines"))
        few.place(wanted)
        waiting, live = few.client("ann-token").get("/stock"), few.client().get("/health/live")

    assert (waiting.status_code, live.status_code) == (503, 200)


def test_one_customers_requests_that_hang_leave_threads_for_another(shop: Shop, wanted: dict[str, Any]) -> None:
    def ask(url: str, method: str, token: str, **options: Any) -> int:
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k-1"}
        return httpx.request(
            method,
            f"{url}{'/orders' if options else '/stock'}",
            headers=headers,
            timeout=20,
            trust_env=False,
            **options,
        ).status_code

    with (
        serving(shop.settings, API_THREADS="4", API_DEADLINE_SECONDS="2") as server,
        ThreadPoolExecutor(12) as clients,
    ):
        ask(server.url, "GET", "bob-token")
        with shop.engine.begin() as conn:
            conn.execute(sa.text("LOCK TABLE intake_keys"))
            hanging = [clients.submit(ask, server.url, "POST", "ann-token", json=wanted) for _ in range(12)]
            wait_until(lambda: blocked(shop) == 2, what="her requests to hang")
            his = ask(server.url, "GET", "bob-token")
            most = blocked(shop)
            hers = [request.result() for request in hanging]

    assert (200, [503] * 12) == (his, hers)
    assert most <= 2


def blocked(shop: Shop) -> int:
    """Connections that wait for a lock."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return len(shop.rows(waiting))


def test_health_is_live_and_not_ready_without_a_database(away: Shop) -> None:
    client = away.client()

    assert [client.get(f"/health/{kind}").status_code for kind in ("live", "ready")] == [200, 503]


def test_a_probe_hears_of_a_mute_database_before_the_deadline_of_a_request(mute: Shop) -> None:
    patient = over(mute, mute.settings.database_url, deadline_seconds=30)

    assert "within 0.8 s" in patient.client().get("/health/ready").json()["detail"]


def test_a_request_that_finds_every_connection_in_use_is_503(shop: Shop) -> None:
    engine = sa.create_engine(shop.settings.database_url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    store = PostgresIntakeStore(engine)
    with store.read(), pytest.raises(StoreUnavailable, match="every connection"):
        store.ping()
    engine.dispose()


def test_health_is_ready_with_a_database(shop: Shop) -> None:
    assert shop.client().get("/health/ready").status_code == 200


def test_a_process_stays_ready_when_its_database_goes_away(shop: Shop) -> None:
    engine = database.connect(shop.settings.database_url)
    store = PostgresIntakeStore(engine)
    app = make_api(store, settings=shop.settings, registry=CollectorRegistry())
    client = type(shop)(engine, shop.settings, app, CollectorRegistry()).client("ann-token")
    before = client.get("/health/ready").status_code
    store.ping = store.read = lambda: (_ for _ in ()).throw(StoreUnavailable("gone"))  # type: ignore[method-assign]
    after, told = client.get("/health/ready"), client.get("/stock")
    engine.dispose()

    assert (200, 200) == (before, after.status_code)
    assert (503, "1") == (told.status_code, told.headers["retry-after"])


def test_a_draining_process_is_not_ready(shop: Shop) -> None:
    shop.app.state.draining.set()

    assert [shop.client().get(f"/health/{kind}").status_code for kind in ("live", "ready")] == [200, 503]


def test_a_database_that_only_reads_is_503_for_changes_and_answers_reads(
    shop: Shop, wanted: dict[str, Any], postgres: Postgres
) -> None:
    order_id = shop.placed(wanted)
    ann, operator = shop.client("ann-token"), shop.client("op-token")
    product = {"name": "Bowl", "price_minor": 700, "currency": "EUR"}
    with postgres.read_only():
        refused = [
            shop.place(wanted, key="k-2"),
            ann.post(f"/orders/{order_id}/cancel"),
            operator.put("/products/BOWL", json=product),
        ]
        read = [ann.get(path).status_code for path in ("/orders", f"/orders/{order_id}", "/stock", "/health/ready")]
    again = shop.place(wanted, key="k-2")

    assert [(503, "1", "the database takes no changes now")] * 3 == [
        (answer.status_code, answer.headers["retry-after"], answer.json()["detail"]) for answer in refused
    ]
    assert ([200] * 4, 202) == (read, again.status_code)


@pytest.mark.parametrize("code", ["25006", "42501", "53100", "53300", "57P01", "57P03", "40P01"])
def test_what_the_server_cannot_do_now_is_503(shop: Shop, code: str) -> None:
    store = PostgresIntakeStore(shop.engine)

    with pytest.raises(StoreUnavailable), store.begin() as tx:
        tx._conn.execute(sa.text(f"DO $$ BEGIN RAISE 'not now' USING ERRCODE = '{code}'; END $$"))


def test_what_the_server_will_never_do_is_a_bug(shop: Shop) -> None:
    store = PostgresIntakeStore(shop.engine)

    with pytest.raises(sa.exc.DBAPIError), store.begin() as tx:
        tx._conn.execute(sa.text("SELECT 1/0"))


def test_a_statement_that_takes_too_long_is_503(shop: Shop, wanted: dict[str, Any], postgres: Any) -> None:
    engine = database.connect(shop.settings.database_url, statement_timeout_seconds=0.2)
    app = make_api(PostgresIntakeStore(engine), settings=shop.settings, registry=CollectorRegistry())
    slow = type(shop)(engine, shop.settings, app, CollectorRegistry())
    with shop.engine.begin() as conn:
        conn.execute(sa.text("LOCK TABLE order_lines"))
        answer = slow.place(wanted)
    engine.dispose()

    assert answer.status_code == 503


def test_a_lost_connection_is_503_and_the_next_request_is_answered(shop: Shop, wanted: dict[str, Any]) -> None:
    engine = database.connect(shop.settings.database_url, pool_size=1, overflow=0)
    lost = PostgresIntakeStore(engine)
    with lost.read() as views:
        pid = views._conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()

    def lose() -> None:
        with lost.begin() as tx:
            shop.run("SELECT pg_terminate_backend(:pid)", pid=pid)
            tx.backlog(1)

    with pytest.raises(StoreUnavailable):
        lose()
    with lost.begin() as tx:
        found = tx.backlog(1)
    engine.dispose()

    assert found == 0
