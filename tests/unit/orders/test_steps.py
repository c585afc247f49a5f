"""A batch of steps: each order answers for itself, and all that follows from it is written with it."""

import concurrent.futures
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis.errors import CircuitOpen, Permanent, Transient
from chassis.outbox import Done, Outcome, Park, Retry, Work
from fakes.order_making import make_order, make_work, saga_before
from fakes.orders_world import MemoryDatabase, MemoryOrderStore
from orders.domain.order import Order
from orders.domain.saga import Parcel, Payment, Result, Saga, State, Step, Stock, Stop, cancel
from orders.ports import UnknownOutcome
from orders.usecases import steps as steps_module
from orders.usecases.steps import Act, Ended, Steps
from orders.usecases.subject import order_of

DONE = Ended(Result.DONE, detail={"charge": "ch-1"})


class Shop:
    """A store in memory with some orders, and steps over it."""

    def __init__(self, *orders: Order, parallel: int = 1, budget_seconds: float = 60, attention_after: int = 3) -> None:
        self.db = MemoryDatabase(orders={o.id: o for o in orders}, free={"LAMP": 10})
        self.store = MemoryOrderStore(self.db)
        self.steps = Steps(parallel=parallel, budget_seconds=budget_seconds, attention_after_failures=attention_after)

    def perform(self, step: Step, act: Act, *works: Work) -> Mapping[int, Outcome]:
        return self.steps.perform(self.store, step, works, act)

    def saga(self, order_id: str = "o-1") -> Saga:
        return self.db.orders[order_id].saga


def raising(error: Exception) -> Act:
    def act(order: Order, work: Work) -> Ended:
        raise error

    return act


def stopped(saga: Saga) -> Saga:
    advance = cancel(saga)
    assert advance is not None
    return advance.saga


def paying(**values: object) -> tuple[Shop, Work]:
    return Shop(make_order(saga=saga_before(Step.TAKE_PAYMENT))), make_work(Step.TAKE_PAYMENT, **values)


def test_a_step_that_succeeds_is_done_and_moves_the_order_on() -> None:
    shop, work = paying()

    outcomes = shop.perform(Step.TAKE_PAYMENT, lambda *_: DONE, work)

    assert {1: Done()} == outcomes
    assert State.PAID is shop.saga().state


def test_the_next_step_and_the_mail_are_put_with_the_trace_of_the_last() -> None:
    shop, work = paying()

    shop.perform(Step.TAKE_PAYMENT, lambda *_: DONE, work)

    assert ["o-1/buy_label", "o-1/mail/confirmation"] == list(shop.db.commands)
    assert {"traceparent": "00-1-1-01"} == shop.db.commands["o-1/buy_label"].headers


def test_the_timeline_says_what_happened_and_where_it_led() -> None:
    shop, work = paying()

    shop.perform(Step.TAKE_PAYMENT, lambda *_: DONE, work)

    (event,) = shop.db.timeline
    assert ("take_payment.done", {"state": "paid", "charge": "ch-1"}) == (event.kind, event.detail)


def test_tracking_number_and_label_are_kept() -> None:
    shop = Shop(make_order(saga=saga_before(Step.BUY_LABEL)))

    shop.perform(
        Step.BUY_LABEL,
        lambda *_: Ended(Result.DONE, tracking_number="CP1", label=b"%PDF"),
        make_work(Step.BUY_LABEL),
    )

    assert "CP1" == shop.db.orders["o-1"].tracking_number
    assert {"o-1": ("CP1", b"%PDF")} == shop.db.labels


def test_a_step_that_is_not_open_is_done_without_an_act() -> None:
    shop, work = paying()
    acted: list[str] = []

    outcomes = shop.perform(Step.BUY_LABEL, lambda order, _: acted.append(order.id) or DONE, work)  # type: ignore[func-returns-value]

    assert ({1: Done()}, []) == (outcomes, acted)


def test_a_command_of_an_unknown_order_is_done() -> None:
    assert {1: Done()} == Shop().perform(Step.TAKE_PAYMENT, lambda *_: DONE, make_work(Step.TAKE_PAYMENT))


def test_an_order_that_changed_while_the_outside_was_asked_keeps_the_change() -> None:
    shop, work = paying()

    def act(order: Order, _: Work) -> Ended:
        shop.db.orders[order.id] = replace(order, saga=stopped(order.saga))
        return DONE

    shop.perform(Step.TAKE_PAYMENT, act, work)

    assert (Stop.CANCELLED, Step.REFUND_PAYMENT) == (shop.saga().stop, shop.saga().open)


def test_an_outcome_that_another_worker_recorded_meanwhile_changes_nothing() -> None:
    shop, work = paying()
    recorded = saga_before(Step.BUY_LABEL)

    def act(order: Order, _: Work) -> Ended:
        shop.db.orders[order.id] = replace(order, saga=recorded)
        return DONE

    shop.perform(Step.TAKE_PAYMENT, act, work)

    assert (recorded, {}, []) == (shop.saga(), shop.db.commands, shop.db.timeline)


def test_what_certainly_had_no_effect_is_tried_again_after_the_other_sides_own_wish() -> None:
    shop, work = paying()

    outcomes = shop.perform(Step.TAKE_PAYMENT, raising(Transient("busy", retry_after_seconds=7)), work)

    assert {1: Retry(7, "busy")} == outcomes


def test_without_a_wish_a_retry_waits_at_most_half_a_second_doubled_by_every_failure() -> None:
    shop, work = paying(failures=3)

    waits = [shop.perform(Step.TAKE_PAYMENT, raising(Transient("busy")), work)[1] for _ in range(50)]

    assert all(isinstance(w, Retry) and 0 <= w.after_seconds <= 4 for w in waits)
    assert any(isinstance(w, Retry) and w.after_seconds > 0.5 for w in waits)


def test_an_unknown_outcome_marks_the_command_as_begun() -> None:
    shop, work = paying()

    outcome = shop.perform(Step.TAKE_PAYMENT, raising(UnknownOutcome("timed out")), work)[1]

    assert isinstance(outcome, Retry)
    assert (True, True) == (outcome.begun, outcome.counts)


def test_an_open_circuit_uses_up_no_patience() -> None:
    shop, work = paying(failures=50)

    outcomes = shop.perform(Step.TAKE_PAYMENT, raising(CircuitOpen("down", retry_after_seconds=2)), work)

    assert {1: Retry(2, "down", counts=False, reason="circuit_open")} == outcomes


def test_what_will_never_work_is_parked() -> None:
    shop, work = paying()

    assert {1: Park("permanent", "no")} == shop.perform(Step.TAKE_PAYMENT, raising(Permanent("no")), work)


def test_a_bug_is_not_swallowed() -> None:
    shop, work = paying()

    with pytest.raises(ZeroDivisionError):
        shop.perform(Step.TAKE_PAYMENT, raising(ZeroDivisionError()), work)


def test_after_its_budget_a_batch_begins_no_further_act() -> None:
    shop = Shop(make_order(saga=saga_before(Step.TAKE_PAYMENT)), budget_seconds=-1)
    acted: list[str] = []

    outcomes = shop.perform(
        Step.TAKE_PAYMENT,
        lambda order, _: acted.append(order.id) or DONE,  # type: ignore[func-returns-value]
        make_work(Step.TAKE_PAYMENT),
    )

    assert ({1: Retry(0.0, "the batch ran out of time", counts=False, reason="out_of_time")}, []) == (outcomes, acted)


def batch(count: int, step: Step, **options: int) -> tuple[Shop, Sequence[Work]]:
    shop = Shop(*(make_order(f"o-{n}", saga_before(step)) for n in range(count)), **options)  # type: ignore[arg-type]
    return shop, [make_work(step, f"o-{n}", id=n) for n in range(count)]


def test_in_a_batch_each_order_has_its_own_outcome() -> None:
    shop, works = batch(3, Step.TAKE_PAYMENT)

    def act(order: Order, _: Work) -> Ended:
        if order.id == "o-1":
            raise Permanent("no")
        return DONE

    outcomes = shop.perform(Step.TAKE_PAYMENT, act, *works)

    assert {0: Done(), 1: Park("permanent", "no"), 2: Done()} == outcomes
    assert [State.PAID, State.PROCESSING, State.PAID] == [shop.saga(f"o-{n}").state for n in range(3)]


@pytest.mark.parametrize(("parallel", "expected"), [(1, 1), (2, 2)])
def test_so_many_acts_of_a_batch_run_at_a_time_and_no_more(parallel: int, expected: int) -> None:
    shop, works = batch(4, Step.TAKE_PAYMENT, parallel=parallel)
    together = threading.Barrier(parallel)
    running, most, lock = 0, 0, threading.Lock()

    def act(order: Order, _: Work) -> Ended:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(10)
        with lock:
            running -= 1
        return DONE

    shop.perform(Step.TAKE_PAYMENT, act, *works)

    assert expected == most


def test_a_batch_that_is_cut_short_leaves_no_act_running_and_begins_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    shop, works = batch(5, Step.TAKE_PAYMENT, parallel=2)
    running, go_on = threading.Event(), threading.Event()
    ended: list[str] = []

    def act(order: Order, _: Work) -> Ended:
        if order.id == "o-0":
            running.wait(10)
            raise ZeroDivisionError
        running.set()
        go_on.wait(10)
        ended.append(order.id)
        return DONE

    def wait(begun: Sequence[Any]) -> None:
        go_on.set()
        concurrent.futures.wait(begun)

    monkeypatch.setattr(steps_module, "wait", wait)
    with pytest.raises(ZeroDivisionError):
        shop.perform(Step.TAKE_PAYMENT, act, *works)

    # One ran beside the one that failed, and the thread of that one may have taken another before it could be called off.
    assert 1 <= len(ended) <= 2


# Stock: the step whose effect is our own.


def test_goods_are_held_with_the_record() -> None:
    shop = Shop(make_order())

    outcomes = shop.steps.reserve(shop.store, [make_work(Step.RESERVE_STOCK)])

    assert ({1: Done()}, {"o-1": {"LAMP": 2}}) == (outcomes, shop.db.held)
    assert State.PROCESSING is shop.saga().state


def test_an_order_for_more_than_there_is_fails_with_the_reason() -> None:
    shop = Shop(make_order())
    shop.db.free["LAMP"] = 1

    shop.steps.reserve(shop.store, [make_work(Step.RESERVE_STOCK)])

    assert (State.FAILED, 'stock of "LAMP" is 1, asked for 2') == (shop.saga().state, shop.saga().reason)


def test_an_order_that_stopped_before_its_goods_were_held_holds_none() -> None:
    shop = Shop(make_order(saga=stopped(saga_before(Step.RESERVE_STOCK))))

    shop.steps.reserve(shop.store, [make_work(Step.RESERVE_STOCK)])

    assert (State.CANCELLED, {}) == (shop.saga().state, shop.db.held)


def test_a_repeated_reservation_holds_nothing_more() -> None:
    shop = Shop(make_order())

    for _ in range(2):
        shop.steps.reserve(shop.store, [make_work(Step.RESERVE_STOCK)])

    assert 8 == shop.db.free["LAMP"]


def releasing() -> Shop:
    saga = Saga(State.PROCESSING, Stock.HELD, open=Step.RELEASE_STOCK, stop=Stop.CANCELLED)
    shop = Shop(make_order(saga=saga))
    shop.store.reserve({"o-1": {"LAMP": 2}})
    return shop


def test_a_released_order_gives_its_goods_back_and_ends() -> None:
    shop = releasing()

    outcomes = shop.steps.release(shop.store, [make_work(Step.RELEASE_STOCK)])

    assert ({1: Done()}, 10, State.CANCELLED) == (outcomes, shop.db.free["LAMP"], shop.saga().state)


def test_a_repeated_release_gives_nothing_more() -> None:
    shop = releasing()

    for _ in range(2):
        shop.steps.release(shop.store, [make_work(Step.RELEASE_STOCK)])

    assert 10 == shop.db.free["LAMP"]


def test_a_release_for_an_unknown_order_is_done() -> None:
    shop = Shop()

    assert {1: Done()} == shop.steps.release(shop.store, [make_work(Step.RELEASE_STOCK)])


def test_a_parcel_that_is_handed_over_takes_its_goods_out_of_the_stock() -> None:
    shop = Shop(make_order(saga=saga_before(Step.HAND_OVER), tracking_number="CP1"))
    shop.store.reserve({"o-1": {"LAMP": 2}})

    shop.perform(Step.HAND_OVER, lambda *_: Ended(Result.DONE), make_work(Step.HAND_OVER))

    assert ([("reserve", "o-1"), ("ship", "o-1")], {}) == (shop.db.moved, shop.db.held)


# A compensation that keeps failing.

VOIDING = Saga(State.PAID, Stock.HELD, parcel=Parcel.LABELLED, open=Step.VOID_LABEL, stop=Stop.CANCELLED)


@pytest.mark.parametrize(("failures", "flagged"), [(1, False), (2, True), (9, True)])
def test_a_compensation_that_failed_often_enough_needs_attention(failures: int, flagged: bool) -> None:
    shop = Shop(make_order(saga=VOIDING), attention_after=3)

    shop.perform(Step.VOID_LABEL, raising(Transient("away")), make_work(Step.VOID_LABEL, failures=failures))

    assert flagged == (shop.db.orders["o-1"].needs_attention == "void_label keeps failing: away")
    assert ["needs_attention"] * flagged == [e.kind for e in shop.db.timeline]


def test_a_compensation_that_keeps_failing_is_said_once() -> None:
    shop = Shop(make_order(saga=VOIDING), attention_after=1)

    for failures in (0, 1):
        shop.perform(Step.VOID_LABEL, raising(Transient("away")), make_work(Step.VOID_LABEL, failures=failures))

    assert 1 == len(shop.db.timeline)


def test_a_compensation_that_was_not_tried_is_not_failing() -> None:
    shop = Shop(make_order(saga=VOIDING), attention_after=1)

    (outcome,) = shop.perform(
        Step.VOID_LABEL, raising(CircuitOpen("down")), make_work(Step.VOID_LABEL, failures=9)
    ).values()

    assert isinstance(outcome, Retry)
    assert 0 <= outcome.after_seconds <= 0.5
    assert shop.db.orders["o-1"].needs_attention is None


def test_a_step_forward_may_fail_for_long_without_needing_attention() -> None:
    shop, work = paying(failures=99)

    shop.perform(Step.TAKE_PAYMENT, raising(Transient("away")), work)

    assert shop.db.orders["o-1"].needs_attention is None


DOUBTFUL = Saga(State.PROCESSING, Stock.HELD, Payment.DOUBTFUL, open=Step.ASK_PAYMENT)


@pytest.mark.parametrize(
    ("saga", "error"),
    [(saga_before(Step.HAND_OVER), UnknownOutcome("hm")), (DOUBTFUL, Transient("hm"))],
    ids=["an answer nobody can read", "a charge nobody can ask about"],
)
def test_an_effect_of_which_nobody_can_tell_for_long_needs_attention(saga: Saga, error: Exception) -> None:
    shop = Shop(make_order(saga=saga, tracking_number="CP1"), attention_after=3)
    assert saga.open is not None

    shop.perform(saga.open, raising(error), make_work(saga.open, failures=2))

    assert f"{saga.open} keeps failing: hm" == shop.db.orders["o-1"].needs_attention


def test_a_compensation_that_works_at_last_needs_no_attention_any_more() -> None:
    shop = Shop(make_order(saga=VOIDING, needs_attention="void_label keeps failing: away"))

    shop.perform(Step.VOID_LABEL, lambda *_: Ended(Result.DONE), make_work(Step.VOID_LABEL, failures=9))

    assert shop.db.orders["o-1"].needs_attention is None


@pytest.mark.parametrize("body", [{}, {"v": 2, "order": "o-1"}, {"v": 1}, {"v": 1, "order": 7}, {"order": "o-1"}])
def test_a_body_that_no_version_of_ours_wrote_is_permanent_and_shown(body: dict[str, object]) -> None:
    with pytest.raises(Permanent, match="cannot read body"):
        order_of(make_work(Step.TAKE_PAYMENT, body=body))


# What is not done when there is nothing to do.


class CountingStore(MemoryOrderStore):
    """Counts what costs a statement, and what goods are asked to move."""

    def __init__(self, db: MemoryDatabase) -> None:
        super().__init__(db)
        self.locks = 0
        self.goods: list[str] = []

    def lock(self, ids: Sequence[str]) -> dict[str, Saga]:
        self.locks += 1
        return super().lock(ids)

    def release(self, order_ids: Sequence[str]) -> None:
        self.goods += order_ids
        super().release(order_ids)


def counted(*orders: Order) -> tuple[Shop, CountingStore]:
    shop = Shop(*orders)
    shop.store = store = CountingStore(shop.db)
    return shop, store


def test_a_batch_in_which_nothing_ended_locks_nothing() -> None:
    shop, store = counted(make_order(saga=saga_before(Step.TAKE_PAYMENT)))

    shop.perform(Step.TAKE_PAYMENT, raising(Transient("busy")), make_work(Step.TAKE_PAYMENT))

    assert 0 == store.locks


def test_a_reservation_locks_once() -> None:
    shop, store = counted(make_order())

    shop.steps.reserve(store, [make_work(Step.RESERVE_STOCK)])

    assert 1 == store.locks


def test_goods_that_went_back_are_not_asked_for_again() -> None:
    saga = Saga(State.PAID, Stock.RELEASED, Payment.CAPTURED, open=Step.REFUND_PAYMENT, stop=Stop.CANCELLED)
    shop, store = counted(make_order(saga=saga))

    shop.perform(Step.REFUND_PAYMENT, lambda *_: DONE, make_work(Step.REFUND_PAYMENT))

    assert (State.CANCELLED, []) == (shop.saga().state, store.goods)


def test_an_order_that_went_meanwhile_is_nothing_to_conclude() -> None:
    shop, work = paying()

    def act(order: Order, _: Work) -> Ended:
        del shop.db.orders[order.id]
        return DONE

    assert {1: Done()} == shop.perform(Step.TAKE_PAYMENT, act, work)
    assert [] == shop.db.timeline


@pytest.mark.parametrize("half", [{}, {"tracking_number": "CP1"}, {"label": b"%PDF"}], ids=str)
def test_a_label_is_kept_whole_or_not_at_all(half: dict[str, Any]) -> None:
    shop = Shop(make_order(saga=saga_before(Step.BUY_LABEL)))

    shop.perform(Step.BUY_LABEL, lambda *_: Ended(Result.DONE, **half), make_work(Step.BUY_LABEL))

    assert {} == shop.db.labels


def test_an_order_alone_needs_no_other_thread() -> None:
    shop, work = paying()
    threads: list[threading.Thread] = []

    def act(order: Order, _: Work) -> Ended:
        threads.append(threading.current_thread())
        return DONE

    shop.perform(Step.TAKE_PAYMENT, act, work)

    assert [threading.current_thread()] == threads


def test_a_batch_that_worked_alarms_nobody() -> None:
    shop, work = paying()

    with capture_logs() as lines:
        shop.perform(Step.TAKE_PAYMENT, lambda *_: DONE, work)

    assert [] == lines
