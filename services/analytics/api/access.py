"""Who may come in: clients that send events and analysts that read counters, by their bearer tokens."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from chassis.http.problems import Problem, wrong
from chassis.http.tokens import authenticated, caller_of

CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a client by its name, or an analyst, who has none."""

    client: str | None


def caller(who: Mapping[str, Any]) -> Caller:
    """The caller of a token's entry: `{"client": "web"}` or `{"role": "analyst"}`. Raises ValueError."""
    match who:
        case {"role": "analyst", **rest} if not rest:
            return Caller(None)
        case {"client": str(client), **rest} if not rest and CLIENT.fullmatch(client):
            return Caller(client)
    raise ValueError("neither a client nor an analyst")


def client_of(request: Request) -> str:
    """The name of the client that sends this request. Raises Problem: 401, or 403 for an analyst.

    A plain function, because FastAPI's dependencies cost more than parsing fifty events.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, 'Authorization: needs "Bearer TOKEN"', headers={"WWW-Authenticate": "Bearer"})
    found: Caller = caller_of(request.app.state.callers, token.strip())
    if found.client is None:
        raise Problem(403, "only clients send events", errors=[wrong("Authorization", "analyst", "is no client")])
    return found.client


async def _analyst(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
    if caller.client is not None:
        raise Problem(403, "only analysts read", errors=[wrong("Authorization", "client", "is no analyst")])
    return caller


Analyst = Annotated[Caller, Depends(_analyst)]
