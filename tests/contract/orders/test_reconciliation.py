"""A reconciliation on real servers: PostgreSQL has the orders, provider and carrier have the books."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from order_worlds import PostgresWorld
from outside_servers import OutsideServer

from chassis.errors import Transient
from fakes.order_making import ADDRESS, make_order, saga_before
from orders import reconciliation as tool
from orders import recovery_list as listing
from orders.adapters import tables
from orders.adapters.carrier import HttpCarrier
from orders.adapters.intake_store import PostgresIntakeStore
from orders.adapters.payments import HttpPayments
from orders.adapters.records import HttpRecords
from orders.adapters.wire import Wire
from orders.domain.order import Order
from orders.domain.reconciliation import Remedy
from orders.domain.saga import Parcel, Payment, Saga, State, Step, Stop
from orders.ports import Change, ChargeStatus
from orders.usecases.intake import Caller, Intake, Limits, Placing, order_id_of

SINCE = datetime.now(UTC) - timedelta(minutes=5)


class Shop:
    """One order's way to the outside, as its workers would go it, and the tools of an operator."""

    def __init__(self, engine: sa.Engine, payments: OutsideServer, carrier: OutsideServer) -> None:
        self.engine = engine
        # Of its own, for provider and carrier know the orders of every test.
        self.key = str(uuid4())
        self.world = PostgresWorld(engine)
        self.payments_server, self.carrier_server = payments, carrier
        self.records = HttpRecords(Wire(payments.url, name="provider"), Wire(carrier.url, name="carrier"))
        self.payments = HttpPayments(Wire(payments.url, name="provider"))
        self.carrier = HttpCarrier(Wire(carrier.url, name="carrier"))

    def charge(self, order_id: str, *, card: str = "tok_ok", amount_minor: int = 500) -> None:
        key = f"{order_id}:payment"
        self.payments.charge(key, order_id=order_id, amount_minor=amount_minor, currency="EUR", card=card)

    def ship(self, order_id: str, *, hand_over: bool = False) -> str:
        number = self.carrier.create_shipment(
            f"{order_id}:shipment", order_id=order_id, address=dict(ADDRESS), weight_g=500
        )
        if hand_over:
            self.carrier.hand_over(number)
        return number

    def lost(self) -> str:
        """The id of an order that nobody knows."""
        return str(uuid4())

    def status(self, order_id: str) -> ChargeStatus | None:
        charge = self.payments.find(f"{order_id}:payment")
        return charge.status if charge else None

    def events(self, order_id: str) -> list[str]:
        return [kind for kind, _ in self.world.timeline(order_id)]


@pytest.fixture
def shop(
    orders_engine: sa.Engine,
    payments_server: OutsideServer,
    carrier_server: OutsideServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    with orders_engine.begin() as conn:
        every = ", ".join({*tables.metadata.tables, "outbox"})
        conn.execute(sa.text(f"TRUNCATE {every} RESTART IDENTITY CASCADE"))
    monkeypatch.setenv("DATABASE_URL", orders_engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("PAYMENTS_URL", payments_server.url)
    monkeypatch.setenv("CARRIER_URL", carrier_server.url)
    yield Shop(orders_engine, payments_server, carrier_server)
    payments_server.heal()
    carrier_server.heal()


Tool = Callable[..., tuple[int, dict[str, str], str]]


@pytest.fixture
def run(shop: Shop, capsys: pytest.CaptureFixture[str]) -> Tool:
    """Runs the tool; its exit code, the outcome by order, and its summary."""

    def runs(*arguments: str) -> tuple[int, dict[str, str], str]:
        capsys.readouterr()
        status = tool.main(["", "--since", SINCE.isoformat(), "--actor", "ann", "--json", *arguments])
        told = json.loads(capsys.readouterr().out)
        return status, {d["order_id"]: d["outcome"] for d in told["differences"]}, told["summary"]

    return runs


# The books


def test_the_provider_lists_what_became_of_every_charge(shop: Shop) -> None:
    captured, declined, refunded, barred = (shop.lost() for _ in range(4))
    shop.charge(captured)
    shop.charge(declined, card="tok_declined")
    shop.charge(refunded)
    for order_id in (refunded, barred):
        shop.payments.reverse(f"{order_id}:payment")

    found = {charge.key.partition(":")[0]: charge for charge in shop.records.charges(SINCE)}

    assert [ChargeStatus.CAPTURED, ChargeStatus.DECLINED, ChargeStatus.REFUNDED, ChargeStatus.VOIDED] == [
        found[i].status for i in (captured, declined, refunded, barred)
    ]
    assert (captured, 500, "EUR") == (found[captured].order_id, found[captured].amount_minor, found[captured].currency)


def test_the_carrier_lists_where_every_parcel_is(shop: Shop) -> None:
    booked, under_way, voided = (shop.lost() for _ in range(3))
    shop.ship(booked)
    shop.ship(under_way, hand_over=True)
    shop.carrier.void(shop.ship(voided))

    found = {parcel.order_id: parcel for parcel in shop.records.parcels(SINCE)}

    assert [Parcel.LABELLED, Parcel.HANDED_OVER, Parcel.VOIDED] == [found[i].state for i in (booked, under_way, voided)]


def test_what_happened_before_is_not_listed(shop: Shop) -> None:
    shop.charge(shop.lost())
    later = datetime.now(UTC) + timedelta(minutes=1)

    assert ([], []) == (list(shop.records.charges(later)), list(shop.records.parcels(later)))


def test_a_book_of_many_pages_is_read_to_its_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = {shop.lost() for _ in range(5)}
    for order_id in orders:
        shop.charge(order_id)
        shop.ship(order_id)
    monkeypatch.setattr("orders.adapters.records.PAGE", 2)

    assert orders <= {charge.order_id for charge in shop.records.charges(SINCE)}
    assert orders <= {parcel.order_id for parcel in shop.records.parcels(SINCE)}


def test_a_book_that_cannot_be_read_may_be_read_later(shop: Shop) -> None:
    shop.payments_server.outage(seconds=30)

    with pytest.raises(Transient):
        list(shop.records.charges(SINCE))


# What is settled


def test_a_dry_run_changes_nothing(shop: Shop, run: Tool) -> None:
    order_id, lost = shop.world.new(saga_before(Step.TAKE_PAYMENT)), shop.lost()
    for i in (order_id, lost):
        shop.charge(i)

    status, outcomes, _ = run()

    assert (0, "would be", "would be") == (status, outcomes[order_id], outcomes[lost])
    assert (Payment.NONE, [], ChargeStatus.CAPTURED) == (
        shop.world.order(order_id).saga.payment,
        shop.events(order_id),
        shop.status(lost),
    )


def test_an_order_learns_its_charge_its_parcel_and_that_it_was_delivered(shop: Shop, run: Tool) -> None:
    order_id = shop.world.new(saga_before(Step.TAKE_PAYMENT))
    shop.charge(order_id)
    number = shop.ship(order_id, hand_over=True)
    delivered = {parcel.order_id for parcel in shop.records.parcels(SINCE) if parcel.delivered}

    run("--apply")

    order = shop.world.order(order_id)
    assert (State.PAID, Payment.CAPTURED, Parcel.LABELLED, Step.TAKE_PAYMENT, number, order_id in delivered) == (
        order.saga.state,
        order.saga.payment,
        order.saga.parcel,
        order.saga.open,
        order.tracking_number,
        order.saga.delivered,
    )
    assert [f"{order_id}/mail/confirmation", f"{order_id}/label"] == shop.world.commands()


def test_a_parcel_whose_number_another_order_has_is_left_and_holds_up_nobody(shop: Shop, run: Tool) -> None:
    twin, holder, other = (shop.world.new(saga_before(Step.BUY_LABEL)) for _ in range(3))
    number, _ = shop.ship(twin), shop.ship(other)
    with shop.world.begin() as store:
        store.save([Change(holder, saga_before(Step.HAND_OVER), tracking_number=number)])

    status, outcomes, _ = run("--apply")

    assert (1, "failed", "learned") == (status, outcomes[twin], outcomes[other])


def test_what_was_settled_is_on_the_timeline_with_who_did_it(shop: Shop, run: Tool) -> None:
    order_id, lost = shop.world.new(saga_before(Step.TAKE_PAYMENT)), shop.lost()
    for i in (order_id, lost):
        shop.charge(i)

    run("--apply", "--undo")

    assert [("reconciled", "ann")] == [(k, d["actor"]) for k, d in shop.world.timeline(order_id)]
    assert [("reconciled", {"undone": "no such order; 500 EUR charged", "actor": "ann"})] == shop.world.timeline(lost)


def test_a_second_run_finds_nothing(shop: Shop, run: Tool) -> None:
    order_id, lost = shop.world.new(saga_before(Step.TAKE_PAYMENT)), shop.lost()
    for i in (order_id, lost):
        shop.charge(i)
    run("--apply", "--undo")

    _, outcomes, _ = run("--apply", "--undo")

    assert set() == {order_id, lost} & outcomes.keys()
    assert ["capture", "refund"] == shop.payments_server.kinds(f"{lost}:payment")


def test_what_nobody_knows_is_left_until_it_is_to_be_undone(shop: Shop, run: Tool) -> None:
    lost = shop.lost()
    shop.charge(lost)
    number = shop.ship(lost)

    _, before, _ = run("--apply")
    charged = shop.status(lost)
    _, after, _ = run("--apply", "--undo")

    assert ("left", ChargeStatus.CAPTURED) == (before[lost], charged)
    assert ("undone", ChargeStatus.REFUNDED) == (after[lost], shop.status(lost))
    assert ["void"] == shop.carrier_server.kinds(number)


def test_money_for_a_parcel_that_is_gone_is_a_persons_decision(shop: Shop, run: Tool) -> None:
    lost = shop.lost()
    shop.charge(lost)
    shop.ship(lost, hand_over=True)

    status, left, _ = run("--apply", "--undo")
    kept = shop.status(lost)
    _, refunded, _ = run("--apply", "--refund", lost)

    assert (1, "left", ChargeStatus.CAPTURED) == (status, left[lost], kept)
    assert ("undone", ChargeStatus.REFUNDED) == (refunded[lost], shop.status(lost))


def test_another_amount_than_the_orders_needs_attention(shop: Shop, run: Tool) -> None:
    order_id = shop.world.new(saga_before(Step.TAKE_PAYMENT))
    shop.charge(order_id, amount_minor=499)

    status, _, _ = run("--apply")

    assert (1, "499 EUR charged, the order's total is 500 EUR") == (status, shop.world.order(order_id).needs_attention)


def test_money_of_an_order_that_failed_meanwhile_is_given_back(shop: Shop, run: Tool) -> None:
    order_id = shop.world.new(Saga(State.FAILED, stop=Stop.EXPIRED))
    shop.charge(order_id)

    run("--apply", "--undo")

    assert ChargeStatus.REFUNDED == shop.status(order_id)


def test_what_could_not_be_undone_is_undone_by_the_next_run(shop: Shop, run: Tool) -> None:
    lost = shop.lost()
    shop.charge(lost)
    shop.payments_server.fault(timeout_before=1.0, hang_seconds=0.0, orders=[lost])

    status, failed, _ = run("--apply", "--undo")
    shop.payments_server.heal()
    _, done, _ = run("--apply", "--undo")

    assert (1, "failed", "undone") == (status, failed[lost], done[lost])


def test_an_outside_that_does_not_answer_is_said(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.carrier_server.outage(seconds=30)

    status = tool.main(["", "--since", SINCE.isoformat()])

    assert (1, True) == (status, "carrier answered 503" in capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--since", "yesterday"], "'yesterday' is no time such as"),
        (["--since", "2026-03-01T12:00:00"], "does not say its offset from UTC"),
        (["--since", "2026-03-01T12:00:00+00:00", "--undo"], "they need --apply"),
    ],
)
def test_a_wrong_command_line_is_refused(
    shop: Shop, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        tool.main(["", *arguments])

    assert (2, True) == (ended.value.code, why in capsys.readouterr().err)


# The recovery list


def placed(shop: Shop) -> Order:
    """An order that a customer placed."""
    with shop.engine.begin() as conn:
        conn.execute(sa.text("INSERT INTO products VALUES ('LAMP', 'Lamp', 250, 'EUR') ON CONFLICT DO NOTHING"))
    made = make_order()
    intake = Intake(PostgresIntakeStore(shop.engine), Limits())
    wanted = Placing.of(made)
    return shop.world.order(intake.place(Caller("c-1"), shop.key, wanted).receipt.order_id)


def forget(shop: Shop) -> None:
    with shop.engine.begin() as conn:
        conn.execute(sa.text("TRUNCATE orders, order_lines, intake_keys, timeline, outbox"))


@pytest.fixture
def listed(shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Writes the recovery list of the database as it is; the file."""

    def write() -> str:
        capsys.readouterr()
        listing.main(["", "--since", SINCE.isoformat()])
        file = tmp_path / "list.jsonl"
        file.write_text(capsys.readouterr().out)
        return str(file)

    return write


def test_a_listed_order_is_placed_again_as_it_was_and_learns_what_was_done_for_it(
    shop: Shop, run: Tool, listed: Callable[[], str]
) -> None:
    before = placed(shop)
    shop.charge(before.id)
    file = listed()
    forget(shop)
    with shop.engine.begin() as conn:
        conn.execute(sa.text("UPDATE products SET price_minor = 1"))

    run("--apply", "--list", file)

    after = shop.world.order(before.id)
    assert (before.customer, before.card, before.lines, before.total_minor) == (
        after.customer,
        after.card,
        after.lines,
        after.total_minor,
    )
    assert (Payment.CAPTURED, Step.RESERVE_STOCK) == (after.saga.payment, after.saga.open)
    assert [f"{before.id}/reserve_stock", f"{before.id}/mail/confirmation"] == shop.world.commands()


def test_a_customers_own_repeat_after_it_gets_the_same_order(shop: Shop, run: Tool, listed: Callable[[], str]) -> None:
    before = placed(shop)
    file = listed()
    forget(shop)
    run("--apply", "--list", file)

    assert before.id == placed(shop).id == order_id_of("c-1", shop.key)


def test_a_listed_order_that_is_there_is_left_as_it_is(shop: Shop, run: Tool, listed: Callable[[], str]) -> None:
    order = placed(shop)
    file = listed()

    _, _, summary = run("--apply", "--list", file)

    assert ("0 placed again, 0 cancelled again", ["placed"]) == (
        ", ".join(summary.split(", ")[:2]),
        shop.events(order.id),
    )


def test_a_mail_that_was_sent_is_remembered(shop: Shop, run: Tool, listed: Callable[[], str]) -> None:
    order = placed(shop)
    with shop.engine.begin() as conn:
        conn.execute(sa.text("INSERT INTO mails VALUES (CAST(:id AS uuid), 'confirmation', '<1@x>')"), {"id": order.id})
    file = listed()
    with shop.engine.begin() as conn:
        conn.execute(sa.text("TRUNCATE mails"))

    for _ in range(2):
        run("--apply", "--list", file)

    with shop.world.begin() as store:
        mailed = store.mailed([(order.id, "confirmation"), (order.id, "shipped")])
    assert {(order.id, "confirmation")} == mailed


def test_a_cancellation_that_was_forgotten_is_repeated(shop: Shop, run: Tool, listed: Callable[[], str]) -> None:
    order = placed(shop)
    with shop.engine.begin() as conn:
        conn.execute(sa.text("CREATE TABLE kept AS SELECT * FROM orders"))
    Intake(PostgresIntakeStore(shop.engine), Limits()).cancel(Caller("c-1"), order.id)
    file = listed()
    with shop.engine.begin() as conn:
        conn.execute(sa.text("UPDATE orders o SET saga = k.saga FROM kept k WHERE k.id = o.id"))
        conn.execute(sa.text("DROP TABLE kept"))

    run("--apply", "--list", file)

    assert Stop.CANCELLED is shop.world.order(order.id).saga.stop


def test_a_dry_run_says_what_would_be_placed_again(shop: Shop, run: Tool, listed: Callable[[], str]) -> None:
    order = placed(shop)
    shop.charge(order.id)
    file = listed()
    forget(shop)

    _, outcomes, summary = run("--list", file)

    assert (True, False, []) == (
        summary.startswith("1 would be placed again"),
        order.id in outcomes,
        shop.world.commands(),
    )


def test_a_list_that_cannot_be_read_is_refused(shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "list.jsonl"
    file.write_text('{"order_id": 1}\n')

    status = tool.main(["", "--since", SINCE.isoformat(), "--apply", "--list", str(file)])

    assert (1, True) == (status, "line 1 of the recovery list" in capsys.readouterr().err)


def test_the_remedies_are_told_by_name(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    lost = shop.lost()
    shop.charge(lost)

    tool.main(["", "--since", SINCE.isoformat()])

    line = next(text for text in capsys.readouterr().out.splitlines() if text.startswith(lost))
    assert [Remedy.UNDO, "would", "be", "no", "such", "order;", "500", "EUR", "charged"] == line.split()[1:]
