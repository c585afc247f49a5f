"""Positions, prices, candles, latency: read from the database, while orders go on whatever becomes of it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from chassis.http.problems import Problem, wrong
from chassis.http.threads import Threads
from trading.api.access import Anybody, OfOperator
from trading.callers import Client
from trading.usecases.views import Shown

Limit = Annotated[int, Query(ge=1, le=1000)]
Account = Annotated[int | None, Query(gt=0, lt=2**32)]


def routes(shown: Shown, threads: Threads) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["views"])

    @router.get("/positions")
    async def positions(caller: Anybody, account: Account = None) -> dict[str, Any]:
        accounts = None if account is None else [account]
        if isinstance(caller.who, Client):
            own = sorted(caller.who.accounts)
            if account is not None and account not in own:
                raise Problem(403, f"account {account} is not yours", errors=[wrong("account", account, "of others")])
            accounts = accounts or own
        return await threads.run(shown.positions, accounts)

    @router.get("/prices/{symbol}")
    async def price(symbol: str, caller: Anybody) -> dict[str, Any]:
        return await threads.run(shown.price, symbol)

    @router.get("/candles/{symbol}")
    async def candles(
        symbol: str, caller: Anybody, span: Literal["minute", "day"] = "minute", limit: Limit = 100
    ) -> dict[str, Any]:
        return await threads.run(shown.candles, symbol, span, limit)

    @router.get("/latency")
    async def latency(caller: OfOperator, limit: Limit = 60) -> dict[str, Any]:
        return await threads.run(shown.latency, limit)

    return router
