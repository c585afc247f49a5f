"""Which order a command is about, as logs and spans name it, and what of that order must not stand in them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial

from chassis import command_traces
from chassis.errors import Permanent
from chassis.loggers import get_logger
from chassis.outbox import Work
from orders.domain.order import Customer, Order

log = get_logger(__name__)

ATTRIBUTE = "order.id"


def order_of(work: Work) -> str:
    """The order a command belongs to. Raises Permanent for a body no version of ours wrote."""
    body = work.body
    if body.get("v") != 1 or not isinstance(body.get("order"), str):
        raise Permanent(f"command {work.key}: cannot read body {dict(body)!r}")
    return str(body["order"])


def of(work: Work) -> command_traces.Subject | None:
    """The order, as an attribute of spans; None for a body that names none."""
    order_id = work.body.get("order")
    return (ATTRIBUTE, order_id) if isinstance(order_id, str) else None


def personal_data(customer: Customer, card: str) -> Iterator[str]:
    """What belongs to the customer, and would tell who it is wherever it is repeated. A country does not."""
    yield from (customer.customer, customer.email, customer.name, card)
    yield from (value for field, value in customer.address.items() if field != "country")


def working_for(work: Work, order: Order) -> AbstractContextManager[None]:
    """A block that works for this order alone: log lines and calls to the outside name it, and nothing in them the customer."""
    return command_traces.within(work, (ATTRIBUTE, order.id), partial(personal_data, order.customer, order.card))


def tell(work: Work, step: str, result: str, reason: str) -> None:
    """A step ended otherwise than as planned: in its span, and in a log line."""
    if work.span is not None:
        work.span.attributes["order.result"] = result
    log.info("step_not_done", step=step, result=result, reason=reason, **command_traces.fields(work, of(work)))
