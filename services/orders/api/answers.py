"""What the API answers about orders, as documented in OpenAPI, and how the domain's records become it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from orders.domain.saga import State
from orders.domain.views import Entry, OrderSummary, OrderView, Receipt


class ReceiptBody(BaseModel):
    """An accepted order, as it was when it was accepted: the same for every repeat of the request."""

    order_id: str
    state: State
    total_minor: int
    currency: str
    links: dict[str, str]


class CancelBody(BaseModel):
    """A cancellation that was taken."""

    order_id: str
    state: State = Field(
        description="The state now; an order with an effect in flight is cancelled a little later, or not at"
        " all when the carrier has its parcel already: then its timeline has `cancel_refused`, and a mail tells the customer."
    )


class SummaryBody(BaseModel):
    """An order in a list."""

    order_id: str
    customer: str
    state: State
    total_minor: int
    currency: str
    stopping: str | None = Field(description="Why it turns back, while it does.")
    open_step: str | None = Field(description="The step under way.")
    reason: str | None
    needs_attention: str | None
    tracking_number: str | None
    created_at: datetime
    updated_at: datetime


class LineAnswer(BaseModel):
    """A line as it was accepted."""

    sku: str
    quantity: int
    unit_price_minor: int | None
    amount_minor: int


class WaitingBody(BaseModel):
    """A command that has to run still."""

    task: str
    state: str
    since: datetime
    due_at: datetime
    attempts: int
    failures: int
    last_error: str | None


class OrderBody(SummaryBody):
    """An order in full."""

    email: str
    name: str
    address: dict[str, Any]
    lines: list[LineAnswer]
    reserve_until: datetime
    facts: dict[str, Any] = Field(description="What the saga knows: stock, payment, parcel.")
    waiting: list[WaitingBody] = Field(description="Commands still to run; for operators only, empty for others.")


class OrdersBody(BaseModel):
    """A page of orders."""

    orders: list[SummaryBody]
    next: str | None = Field(description="`after` of the next page; null at the end.")


class EntryBody(BaseModel):
    """An event of a timeline."""

    id: int
    at: datetime
    kind: str
    detail: dict[str, Any]


class TimelineBody(BaseModel):
    """Events, oldest first."""

    events: list[EntryBody]
    next: int | None = Field(description="`after` of the next page; null at the end.")


def receipt(found: Receipt) -> dict[str, Any]:
    path = f"/orders/{found.order_id}"
    links = {"self": path, "timeline": f"{path}/timeline", "events": f"{path}/events", "cancel": f"{path}/cancel"}
    return {
        "order_id": found.order_id,
        "state": State.PENDING,
        "total_minor": found.total_minor,
        "currency": found.currency,
        "links": links,
    }


def summary(found: OrderSummary) -> dict[str, Any]:
    saga = found.saga
    return {
        "order_id": found.id,
        "customer": found.customer,
        "state": found.state,
        "total_minor": found.total_minor,
        "currency": found.currency,
        "stopping": saga.stop if not saga.state.final else None,
        "open_step": saga.open,
        "reason": saga.reason,
        "needs_attention": found.needs_attention,
        "tracking_number": found.tracking_number,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def order(found: OrderView) -> OrderBody:
    saga = found.summary.saga
    return OrderBody(
        **summary(found.summary),
        email=found.email,
        name=found.name,
        address=found.address,
        lines=[LineAnswer.model_validate(line, from_attributes=True) for line in found.lines],
        reserve_until=found.reserve_until,
        facts={"stock": saga.stock, "payment": saga.payment, "parcel": saga.parcel, "delivered": saga.delivered},
        waiting=[WaitingBody.model_validate(command, from_attributes=True) for command in found.waiting],
    )


def entry(found: Entry) -> EntryBody:
    return EntryBody(id=found.id, at=found.at, kind=found.kind, detail=found.detail)
