"""Follows the market of a symbol for all who look at it in this process, and no longer than somebody does.

Whoever follows is woken when something changed and reads what is known now: one who is slow skips what was in between, and nobody waits
for him. Trades that he skipped are in the next increment, as far as the engine pool keeps them; their numbers show a hole.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from chassis.errors import Transient
from trading.callers import Caller, Client
from trading.ports import DoorError
from trading.usecases.requests import Requests
from trading.usecases.views import Shown

LOOK_SECONDS = 0.2
VIEW_SECONDS = 1.0
"""How often candles and prices are read; books and trades come with each look."""
CANDLES = 60
MEASURES = 60
"""Of latency, the last ones."""

Run = Callable[..., Awaitable[Any]]
"""Runs a call that blocks."""


class Followed:
    """One symbol."""

    def __init__(self) -> None:
        self.market: dict[str, Any] | None = None
        """See usecases.increments; None until it is known."""
        self.trouble = ""
        """Why it is not known now; empty when it is."""
        self.wakes: set[asyncio.Event] = set()
        """Of all who follow."""
        self.task: asyncio.Task[None] | None = None

    def insist(self) -> None:
        """Raises what ended the looks: nothing new would come."""
        if self.task is not None and self.task.done():
            self.task.result()


class LiveMarket:
    """All symbols of one process."""

    def __init__(self, requests: Requests, shown: Shown, run: Run) -> None:
        self._requests, self._shown, self._run = requests, shown, run
        self.symbols = shown.symbols
        """Their names."""
        self._followed: dict[str, Followed] = {}
        self._states: dict[object, tuple[float, dict[str, Any]]] = {}
        self._asking = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def follow(self, token: str, symbol: str, wake: asyncio.Event) -> AsyncIterator[Followed]:
        """Follow a symbol; `wake` is set when something changed. Raises BadRequest."""
        self._requests.insist(symbol)
        followed = self._followed.setdefault(symbol, Followed())
        followed.wakes.add(wake)
        if followed.task is None or followed.task.done():
            followed.task = asyncio.create_task(self._look(token, symbol, followed))
        try:
            yield followed
        finally:
            followed.wakes.discard(wake)
            if not followed.wakes:
                del self._followed[symbol]
                followed.task.cancel()

    async def state(self, token: str, who: Caller) -> dict[str, Any]:
        """What a caller may see besides the market: positions, kill switches; for operators latency and refusals. A second old at most."""
        accounts = tuple(sorted(who.accounts)) if isinstance(who, Client) else None
        async with self._asking:
            asked_at, known = self._states.get(accounts, (0.0, {}))
            if time.monotonic() - asked_at >= VIEW_SECONDS:
                known = await self._asked(token, accounts)
                self._states[accounts] = time.monotonic(), known
            return known

    async def _asked(self, token: str, accounts: tuple[int, ...] | None) -> dict[str, Any]:
        try:
            found: dict[str, Any] = await self._run(self._shown.positions, accounts)
            if accounts is None:
                found |= await self._run(self._shown.latency, MEASURES)
            found["venue"] = await self._requests.venue(token, whole=accounts is None)
        except (Transient, DoorError) as error:
            return {"symbols": self.symbols, "late": str(error)}
        return {"symbols": self.symbols, **found, "late": ""}

    async def _look(self, token: str, symbol: str, followed: Followed) -> None:
        views: dict[str, Any] = {"candles": [], "price": None, "late": "candles and price were not read yet"}
        looked_at = 0.0
        while True:
            if time.monotonic() - looked_at >= VIEW_SECONDS:
                looked_at = time.monotonic()
                views = await self._views(symbol, views)
            market, trouble = followed.market, ""
            try:
                market = {**await self._requests.market(token, symbol), **views}
            except DoorError as error:
                trouble = str(error)
            if (market, trouble) != (followed.market, followed.trouble):
                followed.market, followed.trouble = market, trouble
                for wake in followed.wakes:
                    wake.set()
            await asyncio.sleep(LOOK_SECONDS)

    async def _views(self, symbol: str, before: dict[str, Any]) -> dict[str, Any]:
        try:
            candles = await self._run(self._shown.candles, symbol, "minute", CANDLES)
            price = await self._run(self._shown.price, symbol)
        except Transient as error:
            return {**before, "late": str(error)}
        return {"candles": candles["candles"], "price": price, "late": ""}
