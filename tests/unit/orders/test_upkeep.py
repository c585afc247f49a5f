"""What is done by the clock."""

from datetime import UTC, datetime

from fakes.order_making import make_order, saga_before
from fakes.orders_world import MemoryDatabase, MemoryOrderStore
from orders.domain.saga import Payment, Saga, State, Step, Stock, Stop
from orders.usecases.upkeep import expire_reservations, notice_parked, reconcile

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_unpaid_order_turns_back_and_the_timeline_says_so() -> None:
    db = MemoryDatabase(orders={"o-1": make_order(saga=saga_before(Step.TAKE_PAYMENT))})

    assert 1 == expire_reservations(MemoryOrderStore(db), NOW)
    assert (Stop.EXPIRED, ["expired"]) == (db.orders["o-1"].saga.stop, [e.kind for e in db.timeline])


def test_an_order_with_nothing_open_gets_the_command_that_undoes() -> None:
    db = MemoryDatabase(orders={"o-1": make_order(saga=Saga(State.PROCESSING, Stock.HELD))})

    expire_reservations(MemoryOrderStore(db), NOW)

    assert ["o-1/release_stock"] == list(db.commands)


def test_an_order_whose_money_came_in_the_meantime_goes_on() -> None:
    saga = Saga(State.PROCESSING, Stock.HELD, Payment.CAPTURED, open=Step.BUY_LABEL)
    db = MemoryDatabase(orders={"o-1": make_order(saga=saga)})

    assert 0 == expire_reservations(MemoryOrderStore(db), NOW)
    assert (saga, []) == (db.orders["o-1"].saga, db.timeline)


def test_a_stranded_order_gets_its_command_back_as_one_that_may_have_run() -> None:
    db = MemoryDatabase(orders={"o-1": make_order(saga=saga_before(Step.TAKE_PAYMENT))})

    assert ["o-1"] == reconcile(MemoryOrderStore(db), NOW)
    assert db.commands["o-1/take_payment"].begun


def test_an_order_whose_command_is_open_is_not_stranded() -> None:
    db = MemoryDatabase(orders={"o-1": make_order(saga=saga_before(Step.TAKE_PAYMENT))})
    store = MemoryOrderStore(db)
    reconcile(store, NOW)

    assert [] == reconcile(store, NOW)


def test_an_order_whose_command_was_put_aside_says_so_once() -> None:
    db = MemoryDatabase(orders={"o-1": make_order(saga=saga_before(Step.TAKE_PAYMENT))})
    store = MemoryOrderStore(db)
    reconcile(store, NOW)
    db.parked["o-1/take_payment"] = "malformed"

    assert (["o-1"], []) == (notice_parked(store), notice_parked(store))
    why = "orders.take_payment was parked as malformed"
    assert why == db.orders["o-1"].needs_attention
    assert [("needs_attention", why)] == [(e.kind, e.detail["why"]) for e in db.timeline]
