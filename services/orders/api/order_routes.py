"""/orders: place, read, list, cancel, timeline, label."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import JSONResponse, Response

from chassis.http.problems import Problem, documented, wrong
from chassis.http.schema import takes
from chassis.http.threads import Threads
from orders.api import answers
from orders.api.access import Known
from orders.api.bodies import PlaceOrderBody, body_for_anyone
from orders.domain.order import Customer, LineRequest
from orders.domain.saga import State
from orders.usecases.intake import Caller, Intake, Placing
from orders.usecases.views import Viewing

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Names the request: a repeat gets the first answer. 1 to 200 visible ASCII characters. Should an order ever be "
        "missing for which you have a receipt, place it again with the same key: it is the same order, and charged once.",
    ),
]
Wanted = Annotated[PlaceOrderBody, Depends(body_for_anyone(PlaceOrderBody))]


def routes(intake: Intake, viewing: Viewing, threads: Threads) -> APIRouter:
    """The routes, bound to their use cases."""
    router = APIRouter(prefix="/orders", tags=["orders"])

    @router.post(
        "",
        status_code=202,
        response_model=answers.ReceiptBody,
        responses={
            200: {"model": answers.ReceiptBody, "description": "Accepted earlier, with this key; the same answer."},
            **documented(401, 403, 415, 422, 429, 503),
        },
        openapi_extra=takes(PlaceOrderBody),
    )
    async def place_order(caller: Known, wanted: Wanted, key: Key) -> Response:
        accepted = await threads.run(intake.place, caller, key, _placing(caller, wanted))
        return JSONResponse(answers.receipt(accepted.receipt), 200 if accepted.repeated else 202)

    @router.get("", responses=documented(401, 403, 404, 422, 503))
    async def list_orders(
        caller: Known,
        state: Annotated[State | None, Query()] = None,
        customer: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = None,
        after: Annotated[UUID | None, Query(description="The last order of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> answers.OrdersBody:
        found = await threads.run(
            viewing.orders, caller, customer=customer, state=state, after=str(after) if after else None, limit=limit
        )
        page = [answers.SummaryBody(**answers.summary(order)) for order in found]
        return answers.OrdersBody(orders=page, next=found[-1].id if len(found) == limit else None)

    @router.get("/{order_id}", responses=documented(401, 404, 422, 503))
    async def read_order(caller: Known, order_id: UUID) -> answers.OrderBody:
        return answers.order(await threads.run(viewing.order, caller, str(order_id)))

    @router.post("/{order_id}/cancel", status_code=202, responses=documented(401, 404, 409, 422, 503))
    async def cancel_order(caller: Known, order_id: UUID) -> answers.CancelBody:
        state = await threads.run(intake.cancel, caller, str(order_id))
        return answers.CancelBody(order_id=str(order_id), state=State(state))

    @router.get("/{order_id}/timeline", responses=documented(401, 404, 422, 503))
    async def read_timeline(
        caller: Known,
        order_id: UUID,
        after: Annotated[int, Query(ge=0, le=2**63 - 1, description="The last event of the page before.")] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> answers.TimelineBody:
        found = await threads.run(viewing.timeline, caller, str(order_id), after=after, limit=limit)
        events = [answers.entry(event) for event in found]
        return answers.TimelineBody(events=events, next=events[-1].id if len(events) == limit else None)

    @router.get(
        "/{order_id}/label",
        response_class=Response,
        responses={
            200: {"description": "The label.", "content": {"application/pdf": {"schema": _PDF}}},
            **documented(401, 404, 422, 503),
        },
    )
    async def read_label(caller: Known, order_id: UUID) -> Response:
        pdf = await threads.run(viewing.label, caller, str(order_id))
        return Response(pdf, media_type="application/pdf")

    return router


_PDF = {"type": "string", "format": "binary"}


def _placing(caller: Caller, wanted: PlaceOrderBody) -> Placing:
    customer = wanted.customer or caller.customer
    if customer is None:
        reason = "an operator names the customer"
        raise Problem(422, f"customer: {reason}", errors=[wrong("customer", None, reason)])
    lines = tuple(LineRequest(line.sku, line.quantity, line.amount_minor) for line in wanted.lines)
    to = Customer(customer, wanted.email, wanted.name, wanted.address.model_dump())
    return Placing(lines, to, wanted.card)
