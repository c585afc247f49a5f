"""Bearer tokens (RFC 6750) from the settings. A token is looked up by its digest, so that timing tells nothing of it.

Who a token stands for is the service's own type: it reads that from the token's entry, and gets it back with every request.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from chassis.errors import BadSetting
from chassis.http.problems import Problem

C = TypeVar("C")

_bearer = HTTPBearer(auto_error=False, description="A customer's token, or an operator's.")


def read_tokens(text: str, caller: Callable[[Mapping[str, Any]], C]) -> dict[bytes, C]:
    """Callers by the digest of their token, from `{"token": {…}}`. `caller` raises ValueError for an entry that it cannot read.

    Raises BadSetting, which names neither a token nor an entry.
    """
    try:
        found = json.loads(text or "{}")
        return {_digest(token): caller(dict(who)) for token, who in found.items()}
    except (ValueError, AttributeError, TypeError) as error:
        # Never the text: it holds every token.
        raise BadSetting(
            f'API_TOKENS is not {{"token": {{"customer": …}} or {{"role": "operator"}}}}: {type(error).__name__}'
        ) from None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def caller_of(callers: Mapping[bytes, C], token: str) -> C:
    """Who holds this token. Raises Problem (401)."""
    found = callers.get(_digest(token))
    if found is None:
        raise Problem(401, "Authorization: no such token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return found


async def authenticated(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Any:
    """A dependency: who asks, out of `app.state.callers`. Raises Problem (401)."""
    if given is None:
        raise Problem(401, 'Authorization: needs "Bearer TOKEN"', headers={"WWW-Authenticate": "Bearer"})
    return caller_of(request.app.state.callers, given.credentials)
