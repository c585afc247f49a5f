"""The live page, `/live`, and the WebSocket that it follows, `/live/market`. Every message is a JSON object.

A client begins with `{"token": "…", "symbol": "AAPL"}`, because a browser can send no header with a WebSocket; without a symbol it gets the
first one. `{"symbol": "FB"}` asks for another one. It is told:

    snapshot     the market: `book`, `trades`, `candles` and `price` as the routes of the API answer them; `sequence` is 1
    increment    what changed since (see usecases.increments); `sequence` is one more each time, so a client knows that it has all
    state        each second: symbols, positions, kill switches; for operators latency and refusals as well
    unavailable  why the market is not known now; a snapshot follows when it is again

| closed with | because |
|---|---|
| 1001 | this process is to stop: connect again |
| 1011, 4008 | the client answered no ping, or did not read (see chassis.http.websocket_protocol) |
| 1013 | too many are connected |
| 4400 | a message is not as above; 4401: nobody has the token; 4408: it did not begin in time |
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from chassis.http import pages
from chassis.http.problems import Problem
from chassis.http.streams import Streams
from chassis.http.tokens import caller_of
from trading.callers import Caller, Client
from trading.usecases.increments import increment
from trading.usecases.live import Followed, LiveMarket
from trading.usecases.requests import BadRequest

STATIC = Path(__file__).with_name("static")
BEGIN_SECONDS = 5.0
STATE_SECONDS = 1.0
REASON_BYTES = 123
"""Longest reason of a close (RFC 6455, 5.5)."""


class Closed(Exception):
    """The WebSocket is to be closed with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Asked(BaseModel):
    """A client's message."""

    model_config = ConfigDict(extra="forbid")

    token: str | None = Field(default=None, max_length=512)
    symbol: str = Field(default="", max_length=32)


def routes(market: LiveMarket, streams: Streams) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["live"])
    router.include_router(
        pages.routes("/live", STATIC, "live.html", ("live.js", "market_stream.js", "market_charts.js", "trading.css"))
    )

    @router.websocket("/live/market")
    async def follow(websocket: WebSocket) -> None:
        await websocket.accept()
        connection = Connection(websocket, market)
        try:
            await connection.serve(streams)
        except Closed as closed:
            with suppress(WebSocketDisconnect, RuntimeError):
                await websocket.close(closed.code, closed.reason.encode()[:REASON_BYTES].decode(errors="ignore"))
        except WebSocketDisconnect:
            return

    return router


class Connection:
    """One client's."""

    def __init__(self, websocket: WebSocket, market: LiveMarket) -> None:
        self._websocket, self._market = websocket, market
        self._draining: asyncio.Event = websocket.app.state.draining
        self._symbol = ""
        self._wake = asyncio.Event()

    async def serve(self, streams: Streams) -> None:
        """Serve it until it ends. Raises Closed, WebSocketDisconnect."""
        with _place(streams, None):
            try:
                async with asyncio.timeout(BEGIN_SECONDS):
                    asked = await self._asked()
            except TimeoutError:
                raise Closed(4408, f"no token was sent within {BEGIN_SECONDS:g} s") from None
            who = self._caller(asked.token)
        with _place(streams, who.company if isinstance(who, Client) else None):
            self._symbol = asked.symbol or self._market.symbols[0]
            tasks = [asyncio.create_task(one) for one in (self._read(), self._write(asked.token or "", who))]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                task.result()

    async def _asked(self) -> Asked:
        try:
            return Asked.model_validate_json(await self._websocket.receive_text())
        except ValidationError as error:
            raise Closed(4400, f"{'.'.join(map(str, error.errors()[0]['loc']))}: {error.errors()[0]['msg']}") from None
        except KeyError:
            raise Closed(4400, "a message is no text") from None

    def _caller(self, token: str | None) -> Caller:
        try:
            found: Caller = caller_of(self._websocket.app.state.callers, token or "")
        except Problem:
            raise Closed(4401, "nobody has this token") from None
        return found

    async def _read(self) -> None:
        while True:
            self._symbol = (await self._asked()).symbol
            self._wake.set()

    async def _write(self, token: str, who: Caller) -> None:
        while True:
            symbol = self._symbol
            try:
                async with self._market.follow(token, symbol, self._wake) as followed:
                    await self._tell(symbol, followed, token, who)
            except BadRequest as error:
                raise Closed(4400, str(error)) from None

    async def _tell(self, symbol: str, followed: Followed, token: str, who: Caller) -> None:
        """Tell of a symbol until another one is asked for."""
        told: dict[str, Any] | None = None
        trouble, sequence, state_at = "", 0, 0.0
        clock = asyncio.get_running_loop().time
        while symbol == self._symbol:
            if self._draining.is_set():
                raise Closed(1001, "this process is to stop")
            self._wake.clear()
            followed.insist()
            market = followed.market
            if followed.trouble:
                if followed.trouble != trouble:
                    await self._send("unavailable", {"detail": followed.trouble})
                told, trouble = None, followed.trouble
            elif market is not None and market is not told:
                sequence = 1 if told is None else sequence + 1
                news = market if told is None else increment(told, market)
                kind = "snapshot" if told is None else "increment"
                told, trouble = market, ""
                await self._send(kind, {"symbol": symbol, "sequence": sequence, **news})
            if clock() >= state_at:
                state_at = clock() + STATE_SECONDS
                await self._send("state", await self._market.state(token, who))
            # Not wait_for: on Python 3.11 its time-out may hide that this task is cancelled.
            with suppress(TimeoutError):
                async with asyncio.timeout(state_at - clock()):
                    await self._wake.wait()

    async def _send(self, kind: str, told: dict[str, Any]) -> None:
        await self._websocket.send_text(json.dumps({"type": kind, **told}))


@contextmanager
def _place(streams: Streams, holder: str | None) -> Iterator[None]:
    """A place among the streams of this process. Raises Closed (1013) when there is none."""
    refused = streams.refused(holder)
    if refused is not None:
        raise Closed(1013, refused.detail)
    with streams.taken(holder):
        yield
