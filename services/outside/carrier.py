"""The carrier: books parcels, moves them, and tells the shop by signed callbacks; has its own ledger and faults.

    CARRIER_SECRET=… OUTSIDE_ADMIN_TOKEN=… \\
        python -m outside.carrier --port 8082 --data DIR --callback-url URL [--delivery-delay-seconds 1.5]

    POST /shipments                      header Idempotency-Key; body parcels.ShipmentRequest
                                         201 {"tracking_number"} · 200 the same key again · 422 the key with another body
    POST /shipments/{tracking}/handover  200; idempotent; 409 when voided
    POST /shipments/{tracking}/void      200; idempotent; 409 when handed over
    GET  /shipments/{tracking}           200 the parcel and its events · 404
    GET  /shipments?changed_since=S&after=TRACKING&limit=N
                                         200 {"shipments": [{"tracking_number", "order_id", "status", "delivered_at"}]}
    callbacks                            POST URL {"event_id", "tracking_number", "kind": in_transit | delivered, "at"}

Ledger kinds: shipment, handover, void, and callback (once the shop has answered 2xx; key = event_id). Faults: those of
`outside.gate` and, drawn at a hand-over for the parcel's news, callback_duplicate, callback_reorder,
callback_lost_once.
"""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outside import access, admin, ledger, parcels, serve
from outside.callbacks import Callbacks
from outside.faults import Faults
from outside.gate import CHANGE, Gate
from outside.ledger import Ledger
from outside.parcels import NEWS_FAULTS, Parcels, ShipmentRequest
from outside.poster import Poster
from outside.problems import changes_asked_for, idempotency_key, parsed
from outside.store import Store

FAULTS = (*CHANGE, *NEWS_FAULTS)


def make_app(data: Path, *, poster: Poster, secret: str, delivery_delay_seconds: float, admin_token: str) -> Starlette:
    """The carrier as an ASGI application with its store in the directory `data`; callbacks go by `poster`."""
    store = Store(data / "carrier.sqlite3", parcels.SCHEMA + ledger.SCHEMA)
    entries = Ledger(store, time.time)
    book = Parcels(store, entries, delivery_delay_seconds=delivery_delay_seconds, clock=time.time)
    faults = Faults(FAULTS, time.monotonic)
    gate = Gate(store, faults)
    sender: Callbacks

    async def create(request: Request) -> Response:
        key = idempotency_key(request)
        wanted = await parsed(request, ShipmentRequest)

        def act(_: str | None) -> Response:
            tracking_number, fresh = book.book(key, wanted)
            return JSONResponse({"tracking_number": tracking_number}, 201 if fresh else 200)

        return await gate.change(wanted.order_id, act)

    async def hand_over(request: Request) -> Response:
        tracking_number = request.path_params["tracking"]

        def act(fault: str | None) -> Response:
            sender.owe(book.hand_over(tracking_number, fault=fault))
            return JSONResponse({"tracking_number": tracking_number, "status": "handed_over"})

        return await gate.change(book.order_of(tracking_number), act, also=NEWS_FAULTS)

    async def void(request: Request) -> Response:
        tracking_number = request.path_params["tracking"]

        def act(_: str | None) -> Response:
            book.void(tracking_number)
            return JSONResponse({"tracking_number": tracking_number, "status": "voided"})

        return await gate.change(book.order_of(tracking_number), act)

    async def show(request: Request) -> Response:
        tracking_number = request.path_params["tracking"]
        return await gate.read(book.order_of(tracking_number), lambda: JSONResponse(book.show(tracking_number)))

    async def changed(request: Request) -> Response:
        since, after, limit = changes_asked_for(request)
        return await gate.read(None, lambda: JSONResponse({"shipments": book.changed(since, after=after, limit=limit)}))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal sender
        sender = Callbacks(book, poster, secret)
        sender.owe(book.owed())
        yield
        await sender.close()
        store.close()

    routes = [
        Route("/shipments", create, methods=["POST"]),
        Route("/shipments", changed),
        Route("/shipments/{tracking}/handover", hand_over, methods=["POST"]),
        Route("/shipments/{tracking}/void", void, methods=["POST"]),
        Route("/shipments/{tracking}", show),
        *admin.routes(entries, faults),
    ]
    return serve.application(routes, gate, lifespan, admin_token=admin_token)


def main() -> None:
    """Run until SIGTERM."""
    parser = serve.arguments("outside.carrier", "Carrier with callbacks, faults and a ledger of its own.")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--callback-url", required=True, metavar="URL", help="where the news of parcels is sent")
    parser.add_argument(
        "--delivery-delay-seconds",
        type=float,
        default=1.5,
        metavar="S",
        help="from hand-over to delivery (default: %(default)s, for a laptop)",
    )
    options = parser.parse_args()
    secret = os.environ.get("CARRIER_SECRET", "")
    if not secret:
        parser.error("the environment variable CARRIER_SECRET, which signs the callbacks, is missing or empty")
    try:
        poster = Poster(options.callback_url)
    except ValueError as error:
        parser.error(f"--callback-url: {error}")
    admin_token = access.token(parser)
    listener = serve.bound(options.host, options.port)
    app = make_app(
        options.data,
        poster=poster,
        secret=secret,
        delivery_delay_seconds=options.delivery_delay_seconds,
        admin_token=admin_token,
    )
    serve.run(app, listener, f"carrier ready on http://{serve.address(listener)}")


if __name__ == "__main__":
    main()
