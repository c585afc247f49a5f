"""What every order store does: the one in memory, which the laws of the saga are tested on, and the one in PostgreSQL."""

import dataclasses
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from order_worlds import World

from chassis.outbox import Command
from fakes.order_making import make_order, saga_before
from orders.domain.order import Line
from orders.domain.saga import Saga, State, Step, Stock, Stop
from orders.ports import Change, Event, Mail

NOBODY = str(uuid.UUID(int=0))


def test_an_order_is_read_as_it_was_accepted(world: World) -> None:
    lines = (Line("LAMP", 2, 250, 500), Line("MUG", 1, None, 7))
    order = make_order(str(uuid.uuid4()), lines=lines, total_minor=507, needs_attention=None)
    world.add(order)

    kept = world.order(order.id)
    assert order == dataclasses.replace(kept, age_seconds=None)
    assert kept.age_seconds is None or 0 <= kept.age_seconds < 60


def test_an_unknown_order_is_missing_from_the_answer(world: World) -> None:
    known = world.new()
    with world.begin() as store:
        assert [known] == list(store.orders([known, NOBODY]))
        assert [known] == list(store.lock([known, NOBODY]))


def test_sagas_are_locked_in_the_order_of_their_ids(world: World) -> None:
    ids = [world.new() for _ in range(5)]
    with world.begin() as store:
        assert sorted(ids) == list(store.lock(ids))


def test_a_saga_is_written_back(world: World) -> None:
    changed, other = world.new(), world.new()
    saga = Saga(State.PROCESSING, Stock.HELD, open=Step.TAKE_PAYMENT, stop=Stop.CANCELLED, reason="no")
    with world.begin() as store:
        store.save([Change(changed, saga)])

    assert (saga, saga_before(Step.RESERVE_STOCK)) == (world.order(changed).saga, world.order(other).saga)
    with world.begin() as store:
        assert {changed: saga} == store.lock([changed])


def test_a_tracking_number_is_only_ever_added(world: World) -> None:
    order_id = world.new()
    with world.begin() as store:
        store.save([Change(order_id, Saga(), tracking_number="CP1")])
        store.save([Change(order_id, Saga())])

    assert "CP1" == world.order(order_id).tracking_number


def test_the_next_change_clears_the_attention(world: World) -> None:
    order_id = world.new()
    with world.begin() as store:
        store.save([Change(order_id, Saga(), needs_attention="look here")])
    assert "look here" == world.order(order_id).needs_attention
    with world.begin() as store:
        store.save([Change(order_id, Saga())])

    assert world.order(order_id).needs_attention is None


def test_changes_of_several_orders_are_each_their_own(world: World) -> None:
    ids = [world.new() for _ in range(3)]
    with world.begin() as store:
        store.save([Change(i, Saga(reason=i), tracking_number=f"T{i}") for i in ids])

    assert [(i, f"T{i}") for i in ids] == [(world.order(i).saga.reason, world.order(i).tracking_number) for i in ids]


def test_nothing_to_write_is_nothing_written(world: World) -> None:
    order_id = world.new()
    with world.begin() as store:
        store.save([])
        store.put([])
        store.note([])
        store.keep_labels({})
        store.release([])
        store.ship([])
        assert {} == store.reserve({})
        assert set() == store.mailed([])

    assert ([], []) == (world.commands(), world.timeline(order_id))


def test_what_a_failed_transaction_wrote_is_gone(world: World) -> None:
    world.stock(LAMP=5)
    order_id = world.new()

    def fail() -> None:
        with world.begin() as store:
            store.save([Change(order_id, Saga(reason="no"))])
            store.reserve({order_id: {"LAMP": 2}})
            store.put([Command("k", "t", "q.p", {})])
            store.note([Event(order_id, "x", {})])
            store.keep_labels({order_id: ("CP1", b"%PDF")})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert (None, 5) == (world.order(order_id).saga.reason, world.free("LAMP"))
    assert ([], [], None) == (world.commands(), world.timeline(order_id), world.label(order_id))


def test_a_command_that_is_open_is_not_put_again(world: World) -> None:
    with world.begin() as store:
        store.put([Command("a", "t", "q.p", {}), Command("b", "t", "q.p", {})])
        store.put([Command("a", "t", "q.p", {})])

    assert ["a", "b"] == world.commands()


def test_a_timeline_keeps_the_order_given(world: World) -> None:
    order_id, other = world.new(), world.new()
    with world.begin() as store:
        store.note([Event(order_id, "first", {"n": 1}), Event(other, "x", {}), Event(order_id, "second", {})])
        store.note([Event(order_id, "third", {})])

    assert [("first", {"n": 1}), ("second", {}), ("third", {})] == world.timeline(order_id)


# Stock.


def test_held_goods_are_not_free(world: World) -> None:
    world.stock(LAMP=5, MUG=1)
    order_id = world.new()
    with world.begin() as store:
        assert {} == store.reserve({order_id: {"LAMP": 2, "MUG": 1}})

    assert (3, 0) == (world.free("LAMP"), world.free("MUG"))


def test_an_order_gets_all_of_its_goods_or_none(world: World) -> None:
    world.stock(LAMP=5, MUG=0)
    order_id = world.new()
    with world.begin() as store:
        assert [order_id] == list(store.reserve({order_id: {"LAMP": 2, "MUG": 1}}))

    assert 5 == world.free("LAMP")


def test_a_refusal_says_what_is_missing(world: World) -> None:
    world.stock(LAMP=2)
    order_id = world.new()
    with world.begin() as store:
        assert {order_id: 'stock of "LAMP" is 2, asked for 3'} == store.reserve({order_id: {"LAMP": 3}})


def test_a_product_without_stock_has_none(world: World) -> None:
    order_id = world.new()
    with world.begin() as store:
        assert {order_id: 'stock of "CHAIR" is 0, asked for 1'} == store.reserve({order_id: {"CHAIR": 1}})


def test_orders_of_one_batch_are_served_in_turn_until_the_stock_is_used_up(world: World) -> None:
    world.stock(LAMP=5)
    first, second, third = (world.new() for _ in range(3))
    with world.begin() as store:
        refused = store.reserve({first: {"LAMP": 3}, second: {"LAMP": 3}, third: {"LAMP": 2}})

    assert ([second], 0) == (list(refused), world.free("LAMP"))


@pytest.mark.parametrize("times", [1, 2])
def test_released_goods_are_free_once(world: World, times: int) -> None:
    world.stock(LAMP=5)
    order_id, other = world.new(), world.new()
    with world.begin() as store:
        store.reserve({order_id: {"LAMP": 2}, other: {"LAMP": 1}})
    for _ in range(times):
        with world.begin() as store:
            store.release([order_id])

    assert 4 == world.free("LAMP")


@pytest.mark.parametrize("times", [1, 2])
def test_shipped_goods_are_gone_once(world: World, times: int) -> None:
    world.stock(LAMP=5)
    order_id, other = world.new(), world.new()
    with world.begin() as store:
        store.reserve({order_id: {"LAMP": 2}, other: {"LAMP": 1}})
    for _ in range(times):
        with world.begin() as store:
            store.ship([order_id])

    assert 2 == world.free("LAMP")


@pytest.mark.parametrize("how", ["release", "ship"])
def test_an_order_that_holds_nothing_moves_nothing(world: World, how: str) -> None:
    world.stock(LAMP=5)
    order_id = world.new()
    with world.begin() as store:
        getattr(store, how)([order_id, NOBODY])

    assert 5 == world.free("LAMP")


# Labels and mails.


def test_the_first_label_stays(world: World) -> None:
    order_id = world.new()
    with world.begin() as store:
        store.keep_labels({order_id: ("CP1", b"%PDF-1")})
        store.keep_labels({order_id: ("CP2", b"%PDF-2")})

    assert ("CP1", b"%PDF-1") == world.label(order_id)


def test_a_sent_mail_is_known_by_order_and_kind(world: World) -> None:
    order_id, other = world.new(), world.new()
    mail = Mail("<m@shop.example>", order_id, "shipped", "a@shop.example", "A", {})
    for _ in range(2):
        with world.mail_log.recording(mail):
            pass
    with world.begin() as store:
        found = store.mailed([(order_id, "shipped"), (order_id, "delivered"), (other, "shipped")])

    assert {(order_id, "shipped")} == found


# What is overdue.


@pytest.mark.parametrize(
    ("saga", "minutes", "found"),
    [
        (Saga(State.PENDING, open=Step.RESERVE_STOCK), -1, True),
        (Saga(State.PROCESSING, Stock.HELD, open=Step.TAKE_PAYMENT), -1, True),
        (Saga(State.PROCESSING, Stock.HELD, open=Step.TAKE_PAYMENT), 1, False),
        (Saga(State.PROCESSING, Stock.HELD, open=Step.TAKE_PAYMENT, stop=Stop.CANCELLED), -1, False),
        (Saga(State.PAID, Stock.HELD, open=Step.BUY_LABEL), -1, False),
        (Saga(State.FAILED), -1, False),
    ],
)
def test_an_unpaid_order_whose_reservation_ran_out_is_expired(
    world: World, saga: Saga, minutes: int, found: bool
) -> None:
    order_id = world.add(make_order(str(uuid.uuid4()), saga), reserved_for=timedelta(minutes=minutes))
    with world.begin() as store:
        assert ({order_id: saga} if found else {}) == store.expired(datetime.now(UTC), 10)


def test_the_longest_expired_come_first_and_no_more_than_asked_for(world: World) -> None:
    ids = [world.add(make_order(str(uuid.uuid4())), reserved_for=timedelta(minutes=-n)) for n in (1, 3, 2)]
    with world.begin() as store:
        assert [ids[1], ids[2]] == list(store.expired(datetime.now(UTC), 2))


PAYING = Saga(State.PROCESSING, Stock.HELD, open=Step.TAKE_PAYMENT)


@pytest.mark.parametrize(
    ("saga", "command", "minutes", "found"),
    [
        (PAYING, None, 1, True),
        (PAYING, "buy_label", 1, True),
        (PAYING, "take_payment", 1, False),
        (PAYING, None, -1, False),
        (replace(PAYING, open=None), None, 1, False),
    ],
)
def test_an_open_step_without_a_command_is_stranded_after_a_while(
    world: World, saga: Saga, command: str | None, minutes: int, found: bool
) -> None:
    order_id = world.new(saga)
    with world.begin() as store:
        store.put([Command(f"{order_id}/{command}", "t", "q.p", {})] if command else [])
    with world.begin() as store:
        stranded = store.stranded(datetime.now(UTC) + timedelta(minutes=minutes), 10)

    assert ({order_id: saga} if found else {}) == stranded


def test_no_more_stranded_orders_are_found_than_asked_for(world: World) -> None:
    ids = sorted(world.new(PAYING) for _ in range(3))
    with world.begin() as store:
        assert ids[:2] == list(store.stranded(datetime.now(UTC) + timedelta(minutes=1), 2))


def test_an_order_whose_command_was_parked_is_unnoticed_until_it_says_so(world: World) -> None:
    order_id, other = world.new(PAYING), world.new(PAYING)
    with world.begin() as store:
        store.put([Command(f"{i}/pay", "orders.pay", "q.p", {"order": i}) for i in (order_id, other)])
    world.park(f"{order_id}/pay", "malformed")
    with world.begin() as store:
        found = store.unnoticed(10)
        store.save([Change(order_id, PAYING, needs_attention="parked")])

    assert {order_id: (PAYING, "orders.pay was parked as malformed")} == found
    with world.begin() as store:
        assert {} == store.unnoticed(10)


def test_no_more_unnoticed_orders_are_found_than_asked_for(world: World) -> None:
    ids = sorted(world.new(PAYING) for _ in range(3))
    with world.begin() as store:
        store.put([Command(f"{i}/pay", "orders.pay", "q.p", {"order": i}) for i in ids])
    for i in ids:
        world.park(f"{i}/pay", "poison")

    with world.begin() as store:
        assert ids[:2] == list(store.unnoticed(2))
