"""Which status each refusal of the use cases gets: one table, so that no route has to know."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from chassis.http import refusals
from chassis.http.problems import Problem, answer, wrong
from orders.domain.errors import CannotCancel, InvalidOrder
from orders.usecases.errors import BadSignature, Forbidden, KeyReused, NotFound, Overloaded, Refused, TooManyOpen

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
    refusals.install(app)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(InvalidOrder, _invalid)
    app.add_exception_handler(CannotCancel, _too_late)


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
