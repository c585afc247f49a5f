"""The mail server: takes mails by SMTP, shows them by HTTP, has its own ledger and faults.

    OUTSIDE_ADMIN_TOKEN=… python -m outside.mail --smtp-port 2525 --http-port 8083 --data DIR

    GET /messages?order_id=ID&after=ID&limit=N   [{"id", "at", "message_id", "to", "subject", "order_id", "kind", "body"}, …]
                                                 oldest first, 100 unless limited, 1,000 at most

Ledger kind: mail (key = Message-ID; also mail_kind and to). Faults: reject, drop_after, slow, garbled (see `outside.smtp_door`).
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outside import access, admin, ledger, mailbox, serve, smtp_door
from outside.faults import Faults
from outside.gate import Gate
from outside.ledger import Ledger
from outside.mailbox import Mailbox
from outside.problems import whole_number
from outside.smtp_door import Door
from outside.store import Store

# Messages are parsed when they are shown; a page of this many is some tenths of a second.
PAGE, LONGEST_PAGE = 100, 1_000


def make_app(data: Path, smtp_listener: socket.socket, *, admin_token: str) -> Starlette:
    """The HTTP side as an ASGI application that serves SMTP on `smtp_listener` while it runs; its store is in `data`."""
    store = Store(data / "mail.sqlite3", mailbox.SCHEMA + ledger.SCHEMA)
    entries = Ledger(store, time.time)
    box = Mailbox(store, entries, time.time)
    faults = Faults(smtp_door.FAULTS, time.monotonic)
    gate = Gate(store, faults)
    door = Door(box, store, faults, gate)

    async def messages(request: Request) -> Response:
        after = whole_number(request, "after", 0) or 0
        limit = whole_number(request, "limit", PAGE) or 0
        order_id = request.query_params.get("order_id")
        return JSONResponse(box.page(after=after, limit=min(limit, LONGEST_PAGE), order_id=order_id))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        smtp = await asyncio.get_running_loop().create_server(door.connection, sock=smtp_listener)
        yield
        smtp.close()
        door.close()
        await store.committed()
        store.close()

    routes = [Route("/messages", messages), *admin.routes(entries, faults)]
    return serve.application(routes, gate, lifespan, admin_token=admin_token)


def main() -> None:
    """Run until SIGTERM."""
    parser = serve.arguments("outside.mail", "Mail server with faults and a ledger of its own.")
    parser.add_argument("--smtp-port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--http-port", type=int, required=True, help="0 takes a free one and prints it")
    options = parser.parse_args()
    admin_token = access.token(parser)
    smtp = serve.bound(options.host, options.smtp_port)
    http = serve.bound(options.host, options.http_port)
    ready = f"mail ready on smtp://{serve.address(smtp)} http://{serve.address(http)}"
    serve.run(make_app(options.data, smtp, admin_token=admin_token), http, ready)


if __name__ == "__main__":
    main()
