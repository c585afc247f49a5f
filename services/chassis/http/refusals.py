"""Answers whatever the framework refuses, and whatever may work later, as a problem: one table, so that no route has to know."""

import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from chassis.errors import Transient
from chassis.http.problems import Problem, answer, field, wrong
from chassis.loggers import get_logger

log = get_logger(__name__)


def install(app: FastAPI) -> None:
    """Answer every Problem, every Transient, and whatever the framework itself refuses, as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Transient, _unavailable)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def unavailable(error: Transient) -> Problem:
    """A 503 that says when to come back."""
    seconds = max(1, math.ceil(error.retry_after_seconds or 1.0))
    return Problem(503, str(error), headers={"Retry-After": str(seconds)})


async def _problem(_: Request, error: Any) -> Response:
    return answer(error)


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
