"""Orders at any point of their way, and the commands a worker holds for them."""

from typing import Any

from chassis.outbox import Work
from orders.domain.order import Customer, Line, Order
from orders.domain.saga import Result, Saga, Step, begin, concluded
from orders.queues import queue_of, task_of

ADDRESS = {"street": "1 High Street", "city": "Leeds", "postcode": "LS1 4DY", "country": "GB"}


def saga_before(step: Step) -> Saga:
    """A saga on its straight way, with `step` open."""
    saga = begin().saga
    while saga.open is not step:
        assert saga.open is not None
        advance = concluded(saga, saga.open, Result.DONE)
        assert advance is not None
        saga = advance.saga
    return saga


def make_order(order_id: str = "o-1", saga: Saga | None = None, **values: Any) -> Order:
    """Two lamps at 2.50, ready for its first step."""
    fields: dict[str, Any] = {
        "customer": Customer("c-1", "ann@shop.example", "Ann", ADDRESS),
        "card": "tok_ok",
        "currency": "EUR",
        "total_minor": 500,
        "lines": (Line("LAMP", 2, 250, 500),),
        "saga": saga or begin().saga,
    }
    return Order(order_id, **{**fields, **values})


def make_work(step: Step, order_id: str = "o-1", **values: Any) -> Work:
    """A command of this step as a worker holds it, started for the first time."""
    fields: dict[str, Any] = {
        "id": 1,
        "key": f"{order_id}/{step}",
        "task": task_of(step),
        "queue": queue_of(step),
        "body": {"v": 1, "order": order_id},
        "headers": {"traceparent": "00-1-1-01"},
        "attempts": 1,
        "failures": 0,
        "begun": False,
    }
    return Work(**{**fields, **values})
