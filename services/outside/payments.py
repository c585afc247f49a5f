"""The payment provider: takes and gives back money by key, has its own ledger and faults.

    OUTSIDE_ADMIN_TOKEN=… python -m outside.payments --port 8081 --data DIR

    POST /charges                 header Idempotency-Key; body charges.ChargeRequest
                                  201 captured · 200 the same key again, as it now stands · 402 declined (kept)
                                  409 the key was voided · 422 the key was used with another body
    GET  /charges/{key}           200 {"charge_id", "status": captured | declined | voided | refunded} · 404 never seen
    GET  /charges?changed_since=S&after=KEY&limit=N
                                  200 {"charges": [{"key", "order_id", "status", "amount_minor", "currency", …}]}, by key
    POST /charges/{key}/reverse   200 {"status": refunded | voided | declined}; idempotent

Ledger kinds: capture, decline, refund, void. Faults: those of `outside.gate` and `decline`. `tok_declined` always
declines, as does what is no `tok_…`; every other card is declined only by fault.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outside import access, admin, charges, ledger, serve
from outside.charges import ChargeRecord, ChargeRequest, Charges
from outside.faults import Faults
from outside.gate import CHANGE, Gate
from outside.ledger import Ledger
from outside.problems import changes_asked_for, idempotency_key, parsed, problem
from outside.store import Store

FAULTS = (*CHANGE, "decline")


def make_app(data: Path, *, admin_token: str) -> Starlette:
    """The provider as an ASGI application with its store in the directory `data`."""
    store = Store(data / "payments.sqlite3", charges.SCHEMA + ledger.SCHEMA)
    book_ledger = Ledger(store, time.time)
    book = Charges(store, book_ledger)
    faults = Faults(FAULTS, time.monotonic)
    gate = Gate(store, faults)

    async def charge(request: Request) -> Response:
        key = idempotency_key(request)
        wanted = await parsed(request, ChargeRequest)

        def act(fault: str | None) -> Response:
            decline = "declined by fault" if fault == "decline" else None
            record = book.charge(key, wanted, decline=decline)
            refusals = {"declined": 402, "voided": 409}
            return JSONResponse(_members(record), refusals.get(record.status, 201 if record.fresh else 200))

        return await gate.change(wanted.order_id, act, also=("decline",))

    async def find(request: Request) -> Response:
        key = request.path_params["key"]

        def look() -> Response:
            record = book.find(key)
            return problem(404, f"no charge has key {key!r}") if record is None else JSONResponse(_members(record))

        return await gate.read(_order_of(book, key), look)

    async def changed(request: Request) -> Response:
        since, after, limit = changes_asked_for(request)
        return await gate.read(None, lambda: JSONResponse({"charges": book.changed(since, after=after, limit=limit)}))

    async def reverse(request: Request) -> Response:
        key = request.path_params["key"]
        return await gate.change(_order_of(book, key), lambda _: JSONResponse(_members(book.reverse(key))))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    routes = [
        Route("/charges", charge, methods=["POST"]),
        Route("/charges", changed),
        Route("/charges/{key:path}/reverse", reverse, methods=["POST"]),
        Route("/charges/{key:path}", find),
        *admin.routes(book_ledger, faults),
    ]
    return serve.application(routes, gate, lifespan, admin_token=admin_token)


def _order_of(book: Charges, key: str) -> str | None:
    record = book.find(key)
    return None if record is None else record.order_id


def _members(record: ChargeRecord) -> dict[str, Any]:
    members = {"charge_id": record.charge_id, "status": record.status}
    return members if record.reason is None else {**members, "reason": record.reason}


def main() -> None:
    """Run until SIGTERM."""
    parser = serve.arguments("outside.payments", "Payment provider with faults and a ledger of its own.")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    options = parser.parse_args()
    app = make_app(options.data, admin_token=access.token(parser))
    listener = serve.bound(options.host, options.port)
    serve.run(app, listener, f"payments ready on http://{serve.address(listener)}")


if __name__ == "__main__":
    main()
