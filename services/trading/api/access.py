"""Who may come in: clients with orders, and operators, by their bearer tokens; the engine pool looks at the token once more."""

from typing import Annotated, Any

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from chassis.http.problems import Problem, wrong
from chassis.http.tokens import caller_of
from trading.callers import Client, Operator

_bearer = HTTPBearer(auto_error=False)


class Known:
    """A caller with the token that it gave."""

    def __init__(self, token: str, who: Any) -> None:
        self.token, self.who = token, who


async def known(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> Known:
    """Who asks. Raises Problem (401)."""
    if given is None:
        raise Problem(401, 'Authorization: needs "Bearer TOKEN"', headers={"WWW-Authenticate": "Bearer"})
    return Known(given.credentials, caller_of(request.app.state.callers, given.credentials))


async def _client(caller: Annotated[Known, Depends(known)]) -> Known:
    if not isinstance(caller.who, Client):
        raise Problem(403, "only clients have orders", errors=[wrong("Authorization", "operator", "is no client")])
    return caller


async def _operator(caller: Annotated[Known, Depends(known)]) -> Known:
    if not isinstance(caller.who, Operator):
        raise Problem(403, "only operators do this", errors=[wrong("Authorization", "client", "is no operator")])
    return caller


Anybody = Annotated[Known, Depends(known)]
OfClient = Annotated[Known, Depends(_client)]
OfOperator = Annotated[Known, Depends(_operator)]
