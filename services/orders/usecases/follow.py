"""What follows from an advance of the saga, as things to write: the next command, the mails owed, the lines of the timeline.

Pure, but for `attention`, which writes.
"""

from collections.abc import Mapping
from typing import Any

from chassis.outbox import Command
from orders.domain.saga import Advance, MailKind, Saga, Step
from orders.ports import Change, Event, OrderStore
from orders.queues import DRAW_LABEL, FULFILMENT, NOTIFICATIONS, SEND_MAIL, queue_of, task_of


def step_command(order_id: str, step: Step, headers: Mapping[str, str]) -> Command:
    """The command that performs `step` for this order; one open at a time, whatever the number of times it is put."""
    body = {"v": 1, "order": order_id}
    return Command(f"{order_id}/{step}", task_of(step), queue_of(step), body, headers=headers)


def mail_command(order_id: str, kind: MailKind, headers: Mapping[str, str]) -> Command:
    """The command that sends one mail of this kind."""
    body = {"v": 1, "order": order_id, "kind": kind}
    return Command(f"{order_id}/mail/{kind}", SEND_MAIL, NOTIFICATIONS, body, headers=headers)


def label_command(order_id: str, headers: Mapping[str, str]) -> Command:
    """The command that draws the label of a parcel that is booked and has none yet."""
    return Command(f"{order_id}/label", DRAW_LABEL, FULFILMENT, {"v": 1, "order": order_id}, headers=headers)


def commands(order_id: str, advance: Advance, headers: Mapping[str, str]) -> list[Command]:
    """All commands that an advance asks for; `headers` carry the trace on."""
    step = [step_command(order_id, advance.step, headers)] if advance.step else []
    return step + [mail_command(order_id, kind, headers) for kind in advance.mails]


def event(order_id: str, kind: str, saga: Saga, **detail: Any) -> Event:
    """A line of the timeline: what happened (`placed`, `cancel_requested`, `take_payment.done` …) and the state it led to."""
    if saga.stop is not None and not saga.state.final:
        detail["stopping"] = saga.stop
    if saga.reason is not None:
        detail["reason"] = saga.reason
    return Event(order_id, kind, {"state": saga.state, **detail})


def refused_cancel(order_id: str, advance: Advance) -> list[Event]:
    """The line of the timeline that tells the end of a cancellation that was taken and came too late; none when there was none."""
    if MailKind.CANCEL_REFUSED not in advance.mails:
        return []
    return [event(order_id, "cancel_refused", advance.saga, why="the carrier already had the parcel")]


def attention(store: OrderStore, sagas: Mapping[str, Saga], why: Mapping[str, str]) -> None:
    """Mark these orders, which are locked, as needing a person, and say why on their timelines."""
    store.save([Change(i, saga, needs_attention=why[i]) for i, saga in sagas.items()])
    store.note([event(i, "needs_attention", saga, why=why[i]) for i, saga in sagas.items()])
