"""What operators do: symbols, phases, reference prices, kill switches, limits. Limits are changed by two persons."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from trading.api.access import OfOperator
from trading.usecases.requests import Requests

Account = Annotated[int, Path(gt=0, lt=2**32)]
Limit = Annotated[int, Field(ge=0, le=2**62)]


class PhaseBody(BaseModel):
    """The phase that a symbol is to have."""

    model_config = ConfigDict(extra="forbid")

    phase: Literal["closed", "continuous", "halted"]


class ReferenceBody(BaseModel):
    """A reference price."""

    model_config = ConfigDict(extra="forbid")

    price: Annotated[str, Field(max_length=32)]


class KillBody(BaseModel):
    """A kill switch: `keep` refuses new orders, `cancel` cancels resting ones as well, `off` lets orders in again."""

    model_config = ConfigDict(extra="forbid")

    scope: Literal["all", "account", "symbol"] = "all"
    target: Annotated[int, Field(ge=0, lt=2**32)] | Annotated[str, Field(max_length=32)] = 0
    switch: Literal["off", "keep", "cancel"]


class LimitsBody(BaseModel):
    """Limits of an account."""

    model_config = ConfigDict(extra="forbid")

    max_position: Limit = 1_000_000
    max_daily_quantity: Limit = 10_000_000
    max_quantity: Annotated[int, Field(gt=0, le=1_000_000_000)]
    max_notional_minor: Limit
    max_rate: Limit


def routes(requests: Requests) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["operation"])

    @router.put("/symbols/{symbol}")
    async def list_symbol(symbol: str, caller: OfOperator) -> dict[str, Any]:
        return await requests.list_symbol(caller.token, symbol)

    @router.put("/symbols/{symbol}/phase")
    async def phase(symbol: str, body: PhaseBody, caller: OfOperator) -> dict[str, Any]:
        return await requests.phase(caller.token, symbol, body.phase)

    @router.put("/symbols/{symbol}/reference")
    async def reference(symbol: str, body: ReferenceBody, caller: OfOperator) -> dict[str, Any]:
        return await requests.reference(caller.token, symbol, body.price)

    @router.post("/kill-switch")
    async def kill(body: KillBody, caller: OfOperator) -> dict[str, Any]:
        return await requests.kill(caller.token, body.scope, body.target, body.switch)

    @router.post("/accounts/{account}/limits", status_code=201)
    async def propose(account: Account, body: LimitsBody, caller: OfOperator) -> dict[str, Any]:
        limits = (
            body.max_position,
            body.max_daily_quantity,
            body.max_quantity,
            body.max_notional_minor,
            body.max_rate,
        )
        return await requests.propose_limits(caller.token, caller.who.person, account, limits)

    @router.put("/accounts/{account}/limits/{proposal}")
    async def approve(account: Account, proposal: int, caller: OfOperator) -> dict[str, Any]:
        return await requests.approve_limits(caller.token, caller.who.person, account, proposal)

    return router
