"""The paths every server has: health, its ledger, and the faults that a drill or a person sets; no fault hits these, and all but
health need the token of outside.access.

GET    /health
GET    /ledger?after=ID&limit=N&order_id=ID     all entries, oldest first, unless limited
GET    /admin/faults                            what is in force and what it has hit
PUT    /admin/faults                            body: faults.Plan
DELETE /admin/faults
POST   /admin/outage                            body: faults.OutagePlan
DELETE /admin/outage
"""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from outside.errors import Refused, WrongValue
from outside.faults import Faults, OutagePlan, Plan
from outside.ledger import Ledger
from outside.problems import parsed, whole_number


def routes(ledger: Ledger, faults: Faults) -> list[Route]:
    """The routes, to stand behind a server's own."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def entries(request: Request) -> Response:
        after = whole_number(request, "after", 0) or 0
        limit = whole_number(request, "limit", None)
        order_id = request.query_params.get("order_id")
        return StreamingResponse(_array(ledger, after, limit, order_id), media_type="application/json")

    async def show(_: Request) -> Response:
        return JSONResponse(faults.report())

    async def put(request: Request) -> Response:
        plan = await parsed(request, Plan)
        unknown = sorted(set(plan.rate) - faults.known)
        if unknown:
            reason = f"unknown fault; this server has {', '.join(sorted(faults.known))}"
            raise Refused(
                422, f"rate.{unknown[0]}: {reason}", tuple(WrongValue("rate", name, reason) for name in unknown)
            )
        faults.start(plan)
        return JSONResponse(faults.report())

    async def delete(_: Request) -> Response:
        faults.stop()
        return JSONResponse(faults.report())

    async def begin_outage(request: Request) -> Response:
        faults.start_outage(await parsed(request, OutagePlan))
        return JSONResponse(faults.report())

    async def end_outage(_: Request) -> Response:
        faults.stop_outage()
        return JSONResponse(faults.report())

    return [
        Route("/health", health),
        Route("/ledger", entries),
        Route("/admin/faults", show),
        Route("/admin/faults", put, methods=["PUT"]),
        Route("/admin/faults", delete, methods=["DELETE"]),
        Route("/admin/outage", begin_outage, methods=["POST"]),
        Route("/admin/outage", end_outage, methods=["DELETE"]),
    ]


async def _array(ledger: Ledger, after: int, limit: int | None, order_id: str | None) -> AsyncIterator[str]:
    separator = "["
    for page in ledger.pages(after=after, limit=limit, order_id=order_id):
        yield separator + ",\n".join(json.dumps(entry) for entry in page)
        separator = ",\n"
        # Others are served between two pages.
        await asyncio.sleep(0)
    yield "[]" if separator == "[" else "]"
