"""Which status each refusal of the use cases gets: one table, so that no route has to know."""

import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from chassis.errors import Transient
from chassis.loggers import get_logger
from orders.api.problems import Problem, answer, wrong
from orders.domain.errors import CannotCancel, InvalidOrder
from orders.usecases.errors import BadSignature, Forbidden, KeyReused, NotFound, Overloaded, Refused, TooManyOpen

log = get_logger(__name__)

_STATUS: dict[type[Refused], int] = {
    NotFound: 404,
    Forbidden: 403,
    KeyReused: 422,
    BadSignature: 401,
    TooManyOpen: 429,
    Overloaded: 503,
}


def install(app: FastAPI) -> None:
    """Answer every refusal, and whatever the framework itself refuses, as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(InvalidOrder, _invalid)
    app.add_exception_handler(CannotCancel, _too_late)
    app.add_exception_handler(Transient, _unavailable)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def unavailable(error: Transient) -> Problem:
    """A 503 that says when to come back."""
    seconds = max(1, math.ceil(error.retry_after_seconds or 1.0))
    return Problem(503, str(error), headers={"Retry-After": str(seconds)})


def field(location: tuple[int | str, ...]) -> str:
    """A place in a request as people write it: `lines[0].sku`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".") or "body"


async def _problem(_: Request, error: Any) -> Response:
    return answer(error)


async def _refused(_: Request, error: Any) -> Response:
    after = getattr(error, "retry_after_seconds", None)
    headers = {"Retry-After": str(after)} if after else None
    if isinstance(error, BadSignature):
        headers = {"WWW-Authenticate": "X-Carrier-Signature"}
    value = wrong(error.field, error.value, error.reason)
    return answer(Problem(_STATUS[type(error)], str(error), errors=[value], headers=headers))


async def _invalid(_: Request, error: Any) -> Response:
    return answer(Problem(422, str(error), errors=[wrong(error.field, error.value, error.reason)]))


async def _too_late(_: Request, error: Any) -> Response:
    value = wrong("state", error.state, "cannot be cancelled any more")
    return answer(Problem(409, str(error), errors=[value]))


async def _unavailable(_: Request, error: Any) -> Response:
    return answer(unavailable(error))


async def _unreadable(_: Request, error: Any) -> Response:
    """Headers, parameters and paths that FastAPI refused."""
    values = [
        wrong(field(part["loc"][1:]), None if part["type"] == "missing" else part["input"], part["msg"])
        for part in error.errors()
    ]
    return answer(Problem(422, f"{values[0].field}: {values[0].reason}", errors=values))


async def _http(request: Request, error: Any) -> Response:
    headers = error.headers
    if error.status_code == 404:
        return answer(Problem(404, "no such path", errors=[wrong("path", request.url.path, "no such path")]))
    return answer(Problem(error.status_code, str(error.detail), headers=headers))


async def _bug(request: Request, error: Exception) -> Response:
    log.error("request_failed", method=request.method, error=type(error).__name__)
    return answer(Problem(500, "this is our mistake; it was logged"))
