"""A market's data feed: a stream of numbered ticks that loses some, repeats some and bursts, and a way to ask for what was lost.

    OUTSIDE_ADMIN_TOKEN=… python -m outside.feed --port 8084 --data DIR

    GET  /feed?after=N            an endless stream of lines of JSON, each a tick (see outside.ticks), from number N + 1 on
    GET  /feed/ticks?first=F&last=L
                                  200 {"ticks": […]}: those that have come by now, at most 10,000; never any left out
    POST /admin/drop              body {"ticks": N}: every stream leaves out the next N ticks
    POST /admin/disorder          body {"ticks": N}: every stream has the next N ticks twice, and four of them at a time backwards
    PUT  /admin/silence           body {"seconds": S}: no stream says anything for so long, then all at once

Ticks follow from --seed and from the time of the first start, which is kept, so that a restarted server goes on: with all that it would
have told meanwhile, or where it was when it was away for more than a minute (see outside.feed_times). Faults of `outside.gate` hit
/feed/ticks.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from outside import access, admin, feed_times, ledger, serve
from outside.errors import Refused
from outside.faults import Faults
from outside.gate import READ, Gate
from outside.ledger import Ledger
from outside.problems import parsed, whole_number
from outside.store import Store
from outside.ticks import BASES_CENTS, Ticks

MOST_TICKS = 10_000
TURN_SECONDS = 0.02
BACKWARDS = 4
"""Ticks that come together in the wrong order."""
PIECE = 200
"""Ticks that are sent together at most: others are served in between."""


class Next(BaseModel):
    """What POST /admin/drop and /admin/disorder ask for."""

    model_config = ConfigDict(extra="forbid", strict=True)
    ticks: int = Field(gt=0, le=1_000_000)


class Silence(BaseModel):
    """What PUT /admin/silence asks for."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    seconds: float = Field(ge=0, le=600)


def make_app(data: Path, *, admin_token: str, ticks: Ticks) -> Starlette:
    """The feed as an ASGI application with its store in the directory `data`; `ticks` say how it begins, if it never did."""
    store = Store(data / "feed.sqlite3", feed_times.SCHEMA + ledger.SCHEMA)
    book, faults = Ledger(store, time.time), Faults(READ, time.monotonic)
    gate = Gate(store, faults)
    dropped: list[range] = []
    disordered: list[range] = []
    silent_until = 0.0

    def due() -> int:
        return ticks.due(_now_us())

    async def stream(request: Request) -> Response:
        after = whole_number(request, "after", 0) or 0

        async def lines() -> AsyncIterator[str]:
            number = after
            while not gate.closing:
                last = due() if time.monotonic() >= silent_until else number
                while number < last:
                    some = range(number + 1, min(last, number + PIECE) + 1)
                    number = some[-1]
                    yield "".join(line(one) for one in some)
                await gate.hold(TURN_SECONDS)

        def line(number: int) -> str:
            for one in disordered:
                if number in one:
                    after = (number - one[0]) % BACKWARDS
                    whole = after == BACKWARDS - 1 or number == one[-1]
                    return "".join(2 * told(number - back) for back in range(after + 1)) if whole else ""
            return told(number)

        def told(number: int) -> str:
            if ticks.left_out(number) or any(number in one for one in dropped):
                return ""
            text = json.dumps(ticks.tick(number)) + "\n"
            return text + text if ticks.repeated(number) else text

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def some(request: Request) -> Response:
        first, last = whole_number(request, "first", 1) or 1, whole_number(request, "last", None)
        last = min(due() if last is None else last, due())
        if last - first >= MOST_TICKS:
            raise Refused(422, f"last: {last} is more than {MOST_TICKS} ticks from first {first}")
        return await gate.read(
            None, lambda: JSONResponse({"ticks": [ticks.tick(number) for number in range(first, last + 1)]})
        )

    async def drop(request: Request) -> Response:
        return await spoil("drop", dropped, await parsed(request, Next))

    async def disorder(request: Request) -> Response:
        return await spoil("disorder", disordered, await parsed(request, Next))

    async def spoil(how: str, spoilt: list[range], asked: Next) -> Response:
        first = due() + 1
        spoilt.append(range(first, first + asked.ticks))
        book.record(how, f"{first}", None, first=first, ticks=asked.ticks)
        await store.committed()
        return JSONResponse({"first": first, "last": first + asked.ticks - 1})

    async def silence(request: Request) -> Response:
        nonlocal silent_until
        asked = await parsed(request, Silence)
        silent_until = time.monotonic() + asked.seconds
        return JSONResponse({"seconds": asked.seconds})

    async def be_alive() -> None:
        while True:
            feed_times.note_alive(store, ticks.seed, _now_us())
            await asyncio.sleep(feed_times.ALIVE_SECONDS)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal ticks
        ticks = feed_times.resumed(store, ticks, _now_us())
        alive = asyncio.create_task(be_alive())
        yield
        alive.cancel()
        with suppress(asyncio.CancelledError):
            await alive
        store.close()

    routes = [
        Route("/feed", stream),
        Route("/feed/ticks", some),
        Route("/admin/drop", drop, methods=["POST"]),
        Route("/admin/disorder", disorder, methods=["POST"]),
        Route("/admin/silence", silence, methods=["PUT"]),
        *admin.routes(book, faults),
    ]
    return serve.application(routes, gate, lifespan, admin_token=admin_token)


def _now_us() -> int:
    return time.time_ns() // 1000


def main() -> None:
    """Run until SIGTERM."""
    parser = serve.arguments("outside.feed", "Market data with gaps, repetitions, bursts and bad ticks.")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=100.0, help="ticks a second (default: %(default)s)")
    parser.add_argument(
        "--base-cents", type=int, help="around which all prices wander (default: each symbol has its own)"
    )
    options = parser.parse_args()
    if not 0 < options.rate <= 100_000:
        parser.error(f"--rate is {options.rate:g}: it must be above 0 and at most 100000")
    if options.base_cents is not None and not 100 <= options.base_cents <= 100_000_000:
        parser.error(f"--base-cents is {options.base_cents}: it must be at least 100 and at most 100000000")
    bases_cents = {name: options.base_cents or own for name, own in BASES_CENTS.items()}
    ticks = Ticks(options.seed, options.rate, _now_us(), bases_cents=bases_cents)
    app = make_app(options.data, admin_token=access.token(parser), ticks=ticks)
    listener = serve.bound(options.host, options.port)
    serve.run(app, listener, f"feed ready on http://{serve.address(listener)}")


if __name__ == "__main__":
    main()
