"""Refusals as problem+json (RFC 9457) that name field, value and reason. Every error of the API is made here."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

# A value is repeated so that its sender can find it, not so that it can be read in full.
SHOWN_CHARACTERS = 120

# As RFC 9110 has them; the standard library only since 3.13.
_RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}


_EVERYWHERE = (400, 408, 413, 431)


class WrongValue(BaseModel):
    """One thing that was wrong."""

    field: str = Field(description="Where: `lines[0].quantity`, a header, a parameter; `body` for the whole of it.")
    value: Any = Field(description="What stood there, shortened; null when nothing did.")
    reason: str


class ProblemBody(BaseModel):
    """Why a request was not done."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[WrongValue]


class Problem(Exception):
    """Raised to answer with a problem."""

    def __init__(
        self, status: int, detail: str, *, errors: Sequence[WrongValue] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, tuple(errors), headers


def wrong(field: str, value: Any, reason: str) -> WrongValue:
    """A wrong value as it may be shown."""
    return WrongValue(field=field, value=shown(value), reason=_writable(reason))


def shown(value: Any) -> Any:
    """The value, if JSON and a reader can bear it; else its beginning as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int):
        text = hex(value)
    else:
        text = value if isinstance(value, str) else _told(value)
    text = _writable(text)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def _told(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # it holds an integer of more digits than Python writes
        return type(value).__name__


def field(location: tuple[int | str, ...]) -> str:
    """A place in a request as people write it: `lines[0].sku`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".") or "body"


def answer(problem: Problem) -> JSONResponse:
    """The problem as a response."""
    body = {
        "type": "about:blank",
        "title": _title(problem.status),
        "status": problem.status,
        "detail": _writable(problem.detail),
        "errors": [error.model_dump() for error in problem.errors],
    }
    return JSONResponse(body, problem.status, headers=problem.headers, media_type="application/problem+json")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses for a route's `responses`, and those of every route: any request can be malformed, slow or too long."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    every = sorted({*_EVERYWHERE, *statuses})
    return {status: {"description": _title(status), "content": content} for status in every}


def _title(status: int) -> str:
    return _RENAMED.get(status) or HTTPStatus(status).phrase


def _writable(text: str) -> str:
    # Half of a surrogate pair cannot be sent as UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()
