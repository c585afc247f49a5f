"""What a task asks of the orders, over PostgreSQL: steps, mails, what is done by the clock, and what becomes of a parked command."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from chassis import database, outbox
from chassis.errors import Permanent
from chassis.migrate import migrate, scripts_of
from chassis.outbox import Command
from fakes.order_making import make_order, make_work, saga_before
from fakes.orders_world import FaultyOutside
from orders.adapters import order_rows
from orders.adapters.store import PostgresMailLog, PostgresOrderStore
from orders.domain.saga import MailKind, Saga, State, Step
from orders.ports import Carrier, Mail, PaymentProvider
from orders.queues import queue_of, task_of
from orders.usecases import follow
from orders.usecases.acts import acts
from orders.usecases.labels import Labels
from orders.usecases.mails import Mails
from orders.usecases.orders import Orders
from orders.usecases.steps import Steps
from servers import Postgres


class Refusing(FaultyOutside):
    """A provider that will never charge anything."""

    def charge(self, key: str, **what: Any) -> Any:
        raise Permanent("no such account")


class Jammed(FaultyOutside):
    """A printer that draws nothing."""

    def label(self, **what: Any) -> bytes:
        raise ZeroDivisionError


class Back:
    """The use cases, and a look at what they wrote."""

    def __init__(self, url: str) -> None:
        self.engine = database.connect(url)
        self.outside = FaultyOutside()
        self.observed: list[str] = []

    def orders(
        self,
        outside: FaultyOutside | None = None,
        *,
        payments: PaymentProvider | None = None,
        carrier: Carrier | None = None,
    ) -> Orders:
        outside = outside or self.outside
        return Orders(
            self.engine,
            PostgresOrderStore,
            Steps(parallel=1, budget_seconds=60, attention_after_failures=2),
            acts(payments or outside, carrier or outside, outside),
            Mails(outside, PostgresMailLog(self.engine), domain="shop.example", budget_seconds=20),
            Labels(outside),
            max_attempts=2,
            observer=lambda work, outcome: self.observed.append(type(outcome).__name__),
        )

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.engine.begin() as conn:
            return list(conn.execute(sa.text(query), values))

    def add(self, saga: Saga, *, reserved_for: float = 900) -> str:
        order = make_order(str(uuid.uuid4()), saga)
        with self.engine.begin() as conn:
            conn.execute(order_rows.ADD, order_rows.values(order, reserved_for))
        return order.id

    def issue(self, *commands: Command) -> list[int]:
        """Put, and publish as the relay does; their ids."""
        with self.engine.begin() as conn:
            outbox.put(conn, commands)
        return [row.id for row in self.rows("UPDATE outbox SET issued = 1 RETURNING id")]

    def issued(self, key: str) -> list[int]:
        """Publish the command that a use case put under this key; its id."""
        return [row.id for row in self.rows("UPDATE outbox SET issued = 1 WHERE key = :key RETURNING id", key=key)]

    def order(self, order_id: str) -> Any:
        return self.rows("SELECT * FROM orders WHERE id = CAST(:id AS uuid)", id=order_id)[0]

    def keys(self) -> list[str]:
        return [row.key for row in self.rows("SELECT key FROM outbox WHERE state = 'open' ORDER BY id")]

    def timeline(self) -> list[str]:
        return [row.kind for row in self.rows("SELECT kind FROM timeline ORDER BY id")]


@pytest.fixture(scope="session")
def back_url(postgres: Postgres) -> Iterator[str]:
    """A database with the orders' tables, made once; `back` empties it for each test."""
    # Its own name, because every module that uses the fixture has one.
    name = f"worker_{uuid.uuid4().hex}"
    postgres.execute(f"CREATE DATABASE {name}")
    url = postgres.url(name)
    migrate(url, scripts_of("orders.app"))
    yield url
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def back(back_url: str) -> Iterator[Back]:
    """No orders yet; ten lamps."""
    back = Back(back_url)
    with back.engine.begin() as conn:
        conn.execute(
            sa.text(
                "TRUNCATE orders, products, labels, stock, stock_movements, timeline, mails, outbox, parked CASCADE"
            )
        )
        conn.execute(sa.text("INSERT INTO products VALUES ('LAMP', 'Lamp', 250, 'EUR')"))
        conn.execute(sa.text("INSERT INTO stock (sku, on_hand) VALUES ('LAMP', 10)"))
    yield back
    back.engine.dispose()


def step_command(order_id: str, step: Step, **body: Any) -> Command:
    return Command(f"{order_id}/{step}", task_of(step), queue_of(step), {"v": 1, "order": order_id, **body})


@pytest.mark.parametrize(
    ("step", "state"),
    [(Step.RESERVE_STOCK, "processing"), (Step.TAKE_PAYMENT, "paid")],
)
def test_a_step_is_performed(back: Back, step: Step, state: str) -> None:
    order_id = back.add(saga_before(step))

    assert 1 == back.orders().perform(step, back.issue(step_command(order_id, step)))
    assert (state, ["Done"]) == (back.order(order_id).state, back.observed)


def test_goods_are_released(back: Back) -> None:
    order_id = back.add(saga_before(Step.RESERVE_STOCK))
    back.orders().perform(Step.RESERVE_STOCK, back.issue(step_command(order_id, Step.RESERVE_STOCK)))
    back.rows(
        """UPDATE orders SET saga = '{"state": "processing", "stock": "held", "stop": "cancelled", "open": "release_stock"}'
        RETURNING id"""
    )
    back.rows("DELETE FROM outbox RETURNING id")

    assert 1 == back.orders().perform(Step.RELEASE_STOCK, back.issue(step_command(order_id, Step.RELEASE_STOCK)))
    assert [(10, 0)] == [tuple(row) for row in back.rows("SELECT on_hand, reserved FROM stock")]


def test_a_mail_is_sent(back: Back) -> None:
    order_id = back.add(Saga(State.SHIPPED))

    assert 1 == back.orders().send_mails(back.issue(follow.mail_command(order_id, MailKind.SHIPPED, {})))
    assert [(order_id, "shipped")] == back.outside.mails


def test_a_missing_label_is_drawn_from_what_is_on_record(back: Back) -> None:
    order_id = back.add(saga_before(Step.BUY_LABEL))
    back.orders(Jammed()).perform(Step.BUY_LABEL, back.issue(step_command(order_id, Step.BUY_LABEL)))
    assert ([f"{order_id}/hand_over", f"{order_id}/label"], []) == (back.keys(), back.rows("SELECT FROM labels"))

    assert 1 == back.orders().draw_labels(back.issued(f"{order_id}/label"))
    assert [b"%PDF-T" + order_id.encode()] == [bytes(row.pdf) for row in back.rows("SELECT pdf FROM labels")]


def test_a_label_of_no_parcel_is_parked_and_its_neighbour_drawn(back: Back) -> None:
    none, order_id = back.add(saga_before(Step.BUY_LABEL)), back.add(saga_before(Step.HAND_OVER))
    back.rows("UPDATE orders SET tracking_number = 'CP1' WHERE id = CAST(:id AS uuid) RETURNING id", id=order_id)
    ids = back.issue(*(follow.label_command(i, {}) for i in (none, order_id)))

    assert 2 == back.orders().draw_labels(ids)
    assert [(f"{none}/label", "permanent")] == [tuple(row) for row in back.rows("SELECT key, reason FROM parked")]
    assert [order_id] == [str(row.order_id) for row in back.rows("SELECT order_id FROM labels")]


def test_a_reservation_that_ran_out_turns_its_order_back(back: Back) -> None:
    expired = back.add(saga_before(Step.TAKE_PAYMENT), reserved_for=-1)
    back.add(saga_before(Step.TAKE_PAYMENT))

    assert 1 == back.orders().expire_reservations()
    assert ("expired", ["expired"]) == (back.order(expired).saga["stop"], back.timeline())


def test_an_order_without_its_command_gets_it_back_after_a_minute(back: Back) -> None:
    stranded = back.add(saga_before(Step.TAKE_PAYMENT))
    assert 0 == back.orders().reconcile()
    back.rows("UPDATE orders SET updated_at = updated_at - interval '61 s' RETURNING id")

    assert 1 == back.orders().reconcile()
    assert [f"{stranded}/take_payment"] == back.keys()


def test_an_order_whose_command_is_put_aside_needs_attention(back: Back) -> None:
    order_id = back.add(saga_before(Step.TAKE_PAYMENT))

    back.orders(Refusing()).perform(Step.TAKE_PAYMENT, back.issue(step_command(order_id, Step.TAKE_PAYMENT)))

    assert "orders.take_payment was parked as permanent" == back.order(order_id).needs_attention
    assert (["needs_attention"], []) == (back.timeline(), back.keys())
    assert saga_before(Step.TAKE_PAYMENT).open == back.order(order_id).saga["open"]


@pytest.mark.parametrize("body", [{"v": 2}, {"order": "o-1"}, {"order": 7}, {"order": str(uuid.UUID(int=0)), "v": 2}])
def test_a_command_that_cannot_be_read_is_put_aside_and_its_neighbour_performed(
    back: Back, body: dict[str, Any]
) -> None:
    order_id = back.add(saga_before(Step.TAKE_PAYMENT))
    ids = back.issue(
        Command("strange", "orders.take_payment", "orders.payments", {"v": 1, "order": order_id, **body}),
        step_command(order_id, Step.TAKE_PAYMENT),
    )

    assert 2 == back.orders().perform(Step.TAKE_PAYMENT, ids)
    assert ("paid", ["strange"]) == (
        back.order(order_id).state,
        [row.key for row in back.rows("SELECT key FROM parked")],
    )


def test_a_mail_is_recorded_over_the_connection_of_a_database_that_has_restarted(back: Back) -> None:
    order_id = back.add(Saga())
    engine = database.connect(str(back.engine.url.render_as_string(hide_password=False)), pool_size=1)
    log = PostgresMailLog(engine)
    with engine.connect() as conn:
        own = conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()

    with log.recording(mail_of(order_id, "shipped")):
        back.rows("SELECT pg_terminate_backend(:own)", own=own)

    assert ["shipped"] == [row.kind for row in back.rows("SELECT kind FROM mails")]


def test_a_mail_is_recorded_that_was_taken_while_the_database_became_read_only(back: Back, postgres: Postgres) -> None:
    order_id = back.add(Saga())
    only_reads = postgres.read_only()
    try:
        with PostgresMailLog(back.engine).recording(mail_of(order_id, "shipped")):
            only_reads.__enter__()
    finally:
        only_reads.__exit__(None, None, None)

    assert ["shipped"] == [row.kind for row in back.rows("SELECT kind FROM mails")]


def test_no_mail_is_handed_in_while_its_record_could_not_be_written(back: Back, postgres: Postgres) -> None:
    order_id = back.add(Saga())
    works = [make_work(Step.HAND_OVER, order_id, body={"v": 1, "order": order_id, "kind": "shipped"})]
    mails = Mails(back.outside, PostgresMailLog(back.engine), domain="shop.example", budget_seconds=20)

    with back.engine.connect() as conn, postgres.read_only(), pytest.raises(sa.exc.SQLAlchemyError, match="read-only"):
        mails.send(PostgresOrderStore(conn), works)

    assert [] == back.outside.mails


def test_an_order_whose_command_a_stranger_parked_says_that_it_needs_attention(back: Back) -> None:
    order_id = back.add(saga_before(Step.TAKE_PAYMENT))
    [command] = back.issue(
        Command(f"{order_id}/take_payment", "orders.take_payment", "orders.payments", {"order": order_id})
    )
    with back.engine.begin() as conn:
        outbox.finish(conn, {command: outbox.Park("malformed")})

    assert 1 == back.orders().reconcile()
    assert "orders.take_payment was parked as malformed" == back.order(order_id).needs_attention


def mail_of(order_id: str, kind: str) -> Mail:
    return Mail(f"<{kind}.{order_id}@shop.example>", order_id, kind, "ann@mail.example", "Ann", {})
