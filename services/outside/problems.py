"""Requests into values, and refusals into problem+json (RFC 9457) that names field, value and reason."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from outside.errors import Refused, WrongValue

# The largest body any call needs is a parcel's address; a hundred times that is a mistake.
MAX_BODY_BYTES = 64 * 1024
# As long as the key of any payment provider in use; longer ones are a bug in the caller.
MAX_KEY_CHARACTERS = 255
# Charges or parcels that one answer lists at most.
LONGEST_PAGE = 500
# As much of a wrong text as an answer repeats.
LONGEST_SHOWN = 200

M = TypeVar("M", bound=BaseModel)


def problem(status: int, detail: str, *, errors: Sequence[WrongValue] = ()) -> Response:
    """The answer to a call that did not work."""
    body = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "errors": [{"field": wrong.field, "value": wrong.value, "reason": wrong.reason} for wrong in errors],
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


async def parsed(request: Request, model: type[M]) -> M:
    """The request's JSON body as `model`. Raises Refused: 413 when too long, 422 with every wrong field."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Refused(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        wrong = tuple(
            WrongValue(
                field=".".join(str(part) for part in item["loc"]) or "body",
                value=_shown(item["input"]),
                reason=item["msg"],
            )
            for item in error.errors(include_url=False, include_context=False)
        )
        first = wrong[0]
        raise Refused(422, f"{first.field}: {first.reason}", wrong) from error


def idempotency_key(request: Request) -> str:
    """The caller's key. Raises Refused (400) when it is missing, too long or not printable ASCII."""
    key = request.headers.get("idempotency-key", "")
    if not key or len(key) > MAX_KEY_CHARACTERS or not (key.isascii() and key.isprintable()):
        reason = f"needs 1 to {MAX_KEY_CHARACTERS} printable ASCII characters"
        raise Refused(400, f"Idempotency-Key {reason}", (WrongValue("Idempotency-Key", key, reason),))
    return key


def whole_number(request: Request, name: str, default: int | None) -> int | None:
    """A query parameter that counts something, 0 or more. Raises Refused (422)."""
    text = request.query_params.get(name)
    if text is None:
        return default
    # More digits than SQLite's integers hold.
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        reason = "needs a whole number, 0 or more"
        raise Refused(422, f"{name} {reason}, not {text!r}", (WrongValue(name, text, reason),))
    return int(text)


def changes_asked_for(request: Request) -> tuple[float, str, int]:
    """What a list of changes is asked for by: `changed_since` (unix seconds), `after` (the last of the page before) and `limit`.

    Raises Refused (422).
    """
    since = whole_number(request, "changed_since", None)
    limit = whole_number(request, "limit", LONGEST_PAGE)
    if since is None or limit is None or not 1 <= limit <= LONGEST_PAGE:
        name, given = ("changed_since", None) if since is None else ("limit", limit)
        reason = "is needed, in unix seconds" if since is None else f"needs 1 to {LONGEST_PAGE}"
        raise Refused(422, f"{name} {reason}", (WrongValue(name, given, reason),))
    return float(since), request.query_params.get("after", ""), limit


def _shown(value: Any) -> Any:
    """A wrong value as far as JSON can say it and a person wants to read it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value[:LONGEST_SHOWN]
    return value if isinstance(value, int | float | bool | None) else None


async def on_refused(_: Request, error: Exception) -> Response:
    """Exception handler: a refusal as its answer."""
    assert isinstance(error, Refused)
    return problem(error.status, error.detail, errors=error.wrong)


async def on_http(_: Request, error: Exception) -> Response:
    """Exception handler: what the router itself refuses (unknown path, wrong method)."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail)


_TITLES = {
    400: "Bad Request",
    402: "Payment Required",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
