"""/callbacks: the carrier's door. Signed instead of a token; any 2xx ends the carrier's attempts, anything else brings it back."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, Field

from chassis.http.bodies import read
from chassis.http.problems import documented
from chassis.http.schema import takes
from chassis.http.threads import Threads
from orders.api.bodies import CarrierEventBody
from orders.usecases.callbacks import Callbacks, CarrierEvent, verify

Timestamp = Annotated[str, Header(alias="X-Carrier-Timestamp", description="Unix seconds of the sending.")]
Signature = Annotated[
    str, Header(alias="X-Carrier-Signature", description="Hex HMAC-SHA256 of `<timestamp>.<raw body>`.")
]


class CallbackBody(BaseModel):
    """What became of a callback."""

    status: str = Field(description="`taken`, or `known` for a repeat.")


def routes(callbacks: Callbacks, threads: Threads, *, secret: str) -> APIRouter:
    """The route, bound to its use case."""
    router = APIRouter(prefix="/callbacks", tags=["callbacks"])

    @router.post("/carrier", responses=documented(401, 404, 415, 422, 503), openapi_extra=takes(CarrierEventBody))
    async def carrier(request: Request, timestamp: Timestamp, signature: Signature) -> CallbackBody:
        verify(secret, timestamp, signature, await request.body())
        body = await read(request, CarrierEventBody)
        at = datetime.fromtimestamp(body.at, UTC)
        event = CarrierEvent(body.event_id, body.tracking_number, body.kind, at)
        taken = await threads.run(callbacks.take, event, timestamp)
        return CallbackBody(status="taken" if taken else "known")

    return router
