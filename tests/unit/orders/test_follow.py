"""What follows from an advance, as things to write."""

from dataclasses import replace

import pytest

from chassis.outbox import Command
from orders.domain.saga import Advance, MailKind, Saga, State, Step, Stop
from orders.ports import Event
from orders.queues import (
    BATCH,
    DRAW_LABEL,
    FULFILMENT,
    NOTIFICATIONS,
    PAYMENTS,
    QUEUES,
    SAGA,
    SEND_MAIL,
    queue_of,
    task_of,
)
from orders.usecases import follow

TRACE = {"traceparent": "00-1-1-01"}


def test_a_step_is_one_command_an_order_on_the_queue_of_its_pool() -> None:
    body = {"v": 1, "order": "o-1"}

    assert Command("o-1/buy_label", "orders.buy_label", FULFILMENT, body, headers=TRACE) == follow.step_command(
        "o-1", Step.BUY_LABEL, TRACE
    )


def test_a_mail_is_one_command_an_order_and_kind() -> None:
    body = {"v": 1, "order": "o-1", "kind": "shipped"}

    assert Command("o-1/mail/shipped", "orders.send_mail", NOTIFICATIONS, body, headers=TRACE) == follow.mail_command(
        "o-1", MailKind.SHIPPED, TRACE
    )


def test_the_step_comes_before_the_mails() -> None:
    advance = Advance(Saga(), Step.BUY_LABEL, (MailKind.CONFIRMATION,))

    assert ["o-1/buy_label", "o-1/mail/confirmation"] == [c.key for c in follow.commands("o-1", advance, {})]


def test_nothing_follows_from_an_advance_without_step_and_mail() -> None:
    assert [] == follow.commands("o-1", Advance(Saga(), None, ()), {})


@pytest.mark.parametrize(
    ("saga", "detail"),
    [
        (Saga(State.PAID), {"state": "paid"}),
        (Saga(State.PAID, stop=Stop.CANCELLED), {"state": "paid", "stopping": "cancelled"}),
        (Saga(State.PAID, stop=Stop.REFUSED, reason="no"), {"state": "paid", "stopping": "refused", "reason": "no"}),
        (Saga(State.FAILED, stop=Stop.REFUSED, reason="no"), {"state": "failed", "reason": "no"}),
    ],
)
def test_a_line_of_the_timeline_says_where_the_order_stands(saga: Saga, detail: dict[str, str]) -> None:
    assert Event("o-1", "placed", {**detail, "n": 1}) == follow.event("o-1", "placed", saga, n=1)


def test_a_final_state_is_not_stopping_any_more() -> None:
    saga = replace(Saga(State.CANCELLED), stop=Stop.CANCELLED)

    assert "stopping" not in follow.event("o-1", "x", saga).detail


@pytest.mark.parametrize(
    ("queue", "steps"),
    [
        (SAGA, {Step.RESERVE_STOCK, Step.RELEASE_STOCK}),
        (PAYMENTS, {Step.TAKE_PAYMENT, Step.ASK_PAYMENT, Step.REFUND_PAYMENT}),
        (FULFILMENT, {Step.BUY_LABEL, Step.HAND_OVER, Step.VOID_LABEL}),
    ],
)
def test_each_pool_performs_its_own_steps(queue: str, steps: set[Step]) -> None:
    assert steps == {step for step in Step if queue_of(step) == queue}
    assert queue in QUEUES


def test_every_task_has_a_batch_size() -> None:
    assert {task_of(step) for step in Step} | {SEND_MAIL, DRAW_LABEL} == set(BATCH)
