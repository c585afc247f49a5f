"""Who may come in: bearer tokens (RFC 6750) from the settings. A token is looked up by its digest, so that timing tells nothing of it."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from chassis.errors import BadSetting
from orders.api.problems import Problem, wrong
from orders.usecases.intake import Caller

CUSTOMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_bearer = HTTPBearer(auto_error=False, description="A customer's token, or an operator's.")


def read_tokens(text: str) -> dict[bytes, Caller]:
    """Callers by the digest of their token, from `{"token": {"customer": "c-1"} | {"role": "operator"}}`. Raises BadSetting."""
    try:
        found = json.loads(text or "{}")
        return {_digest(token): _caller(who) for token, who in found.items()}
    except (ValueError, AttributeError, TypeError) as error:
        # Never the text: it holds every token.
        raise BadSetting(
            f'API_TOKENS is not {{"token": {{"customer": …}} or {{"role": "operator"}}}}: {type(error).__name__}'
        ) from None


def _caller(who: Mapping[str, Any]) -> Caller:
    match dict(who):
        case {"role": "operator", **rest} if not rest:
            return Caller(None)
        case {"customer": str(customer), **rest} if not rest and CUSTOMER.fullmatch(customer):
            return Caller(customer)
    raise ValueError("neither a customer nor an operator")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def caller_of(callers: Mapping[bytes, Caller], token: str) -> Caller:
    """Who holds this token. Raises Problem (401)."""
    found = callers.get(_digest(token))
    if found is None:
        raise Problem(401, "Authorization: no such token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return found


def _known(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> Caller:
    if given is None:
        raise Problem(401, 'Authorization: needs "Bearer TOKEN"', headers={"WWW-Authenticate": "Bearer"})
    callers: Mapping[bytes, Caller] = request.app.state.callers
    return caller_of(callers, given.credentials)


Known = Annotated[Caller, Depends(_known)]


def _operator(caller: Known) -> Caller:
    if not caller.operator:
        raise Problem(403, "only operators may do this", errors=[wrong("Authorization", "customer", "is no operator")])
    return caller


Operator = Annotated[Caller, Depends(_operator)]
