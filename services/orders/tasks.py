"""The doors: each task names its use case and nothing else. Reliability is the chassis', decisions are the domain's.

| task | queue | does |
|---|---|---|
| orders.reserve_stock, orders.release_stock | orders.saga | hold and free goods |
| orders.take_payment, orders.ask_payment, orders.refund_payment | orders.payments | the payment provider |
| orders.buy_label, orders.hand_over, orders.void_label | orders.fulfilment | the carrier |
| orders.draw_label | orders.fulfilment | a label that could not be drawn when its parcel was booked |
| orders.send_mail | orders.notifications | the mail server |
| orders.expire, orders.reconcile, orders.prune, orders.collect_dead_letters | orders.saga | by the clock |
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from chassis.app import ChassisApp
from orders.domain.saga import Step
from orders.queues import DRAW_LABEL, SEND_MAIL, task_of
from orders.usecases.orders import Orders


def register(app: ChassisApp, orders: Callable[[], Orders], clock: dict[str, Callable[[], Any]]) -> None:
    """Give the app its tasks. `orders` is asked once a call, in the process that runs it; `clock` has the periodic tasks by name."""
    for step in Step:
        _batch(app, task_of(step), partial(_perform, orders, step))
    _batch(app, SEND_MAIL, lambda ids: orders().send_mails(ids))
    _batch(app, DRAW_LABEL, lambda ids: orders().draw_labels(ids))
    for name, run in clock.items():
        _periodic(app, name, run)


def _perform(orders: Callable[[], Orders], step: Step, ids: list[int]) -> int:
    return orders().perform(step, ids)


def _batch(app: ChassisApp, name: str, run: Callable[[list[int]], int]) -> None:
    @app.task(name=name, shared=False)  # type: ignore[untyped-decorator]
    def perform(*, v: int, ids: list[int]) -> None:
        run(ids)


def _periodic(app: ChassisApp, name: str, run: Callable[[], Any]) -> None:
    @app.task(name=name, shared=False)  # type: ignore[untyped-decorator]
    def perform() -> None:
        run()
