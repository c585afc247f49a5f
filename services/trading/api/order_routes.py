"""Orders of clients, and books. A client id is a whole number that rises from request to request of a client.

An order that is not answered (504, or no answer at all) is unknown: `GET /orders/{client_id}` says what became of it; `not_taken` may be
sent again with the same id, which executes once at most.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from trading.api.access import Anybody, OfClient
from trading.callers import Operator
from trading.usecases import order_traces
from trading.usecases.requests import Requests, Terms

Id = Annotated[int, Field(gt=0, lt=2**63)]
IdInPath = Annotated[int, Path(gt=0, lt=2**63)]
IdInQuery = Annotated[int, Query(gt=0, lt=2**63, description="Of this request; greater than all before.")]
Price = Annotated[str, Field(max_length=32, examples=["100.05"])]
Quantity = Annotated[int, Field(gt=0, lt=2**63, description="Lots.")]


class NewOrder(BaseModel):
    """An order."""

    model_config = ConfigDict(extra="forbid")

    client_id: Id
    account: Annotated[int, Field(gt=0, lt=2**32)]
    symbol: Annotated[str, Field(max_length=32)]
    side: Literal["buy", "sell"]
    type: Literal["limit", "market", "stop", "stop_limit"] = "limit"
    time_in_force: Literal["day", "gtc", "ioc", "fok"] = "day"
    price: Price | None = None
    stop_price: Price | None = None
    quantity: Quantity


class NewTerms(BaseModel):
    """What a replace changes: the price, and the total quantity, executed lots included."""

    model_config = ConfigDict(extra="forbid")

    client_id: Id
    price: Price
    quantity: Quantity


def routes(requests: Requests, shard: int) -> APIRouter:
    """The routes; `shard` is the number of the shard that takes the orders."""
    router = APIRouter(tags=["orders"])

    def traced(told: dict[str, Any]) -> dict[str, Any]:
        said = (told, *told.get("outcomes", ()))
        if number := next((one["order_id"] for one in said if one.get("order_id")), None):
            order_traces.concerns(shard, number)
        return told

    @router.post("/orders", status_code=201)
    async def place(order: NewOrder, caller: OfClient) -> dict[str, Any]:
        return traced(await requests.order(caller.token, caller.who.session, Terms(**order.model_dump())))

    @router.put("/orders/{target}")
    async def replace(target: IdInPath, terms: NewTerms, caller: OfClient) -> dict[str, Any]:
        session = caller.who.session
        told = await requests.replace(caller.token, session, terms.client_id, target, terms.price, terms.quantity)
        return traced(told)

    @router.delete("/orders/{target}")
    async def cancel(target: IdInPath, client_id: IdInQuery, caller: OfClient) -> dict[str, Any]:
        return traced(await requests.cancel(caller.token, caller.who.session, client_id, target))

    @router.delete("/orders")
    async def cancel_all(client_id: IdInQuery, caller: OfClient, symbol: str | None = None) -> dict[str, Any]:
        return await requests.mass_cancel(caller.token, caller.who.session, client_id, symbol)

    @router.get("/orders/{client_id}")
    async def status(client_id: IdInPath, caller: OfClient) -> dict[str, Any]:
        return traced(await requests.status(caller.token, client_id))

    @router.get("/books/{symbol}")
    async def book(symbol: str, caller: Anybody) -> dict[str, Any]:
        return await requests.book(caller.token, symbol)

    @router.get("/trades/{symbol}")
    async def trades(symbol: str, caller: Anybody) -> dict[str, Any]:
        return await requests.trades(caller.token, symbol)

    @router.get("/venue")
    async def venue(caller: Anybody) -> dict[str, Any]:
        return await requests.venue(caller.token, whole=isinstance(caller.who, Operator))

    return router
