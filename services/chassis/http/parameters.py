"""Refuses what a route cannot take as it was meant: parameters that it does not have, since a misspelt filter would otherwise answer with
everything; and parameters and headers that are given twice, of which all but one would be forgotten (RFC 9110, 5.3; RFC 6750, 3.1).
"""

from collections import Counter
from typing import Any

from fastapi import Request

from chassis.http.problems import Problem, WrongValue, wrong

_ALWAYS_ONE = {"authorization": "Authorization", "content-type": "Content-Type", "host": "Host"}


async def only_known(request: Request) -> None:
    """A dependency of every route. Raises Problem: 400 for a header given twice, 422 for a parameter."""
    route: Any = request.scope["route"]
    one = {**_ALWAYS_ONE, **{parameter.alias.lower(): parameter.alias for parameter in route.dependant.header_params}}
    times = Counter(name.decode("latin-1") for name, _ in request.headers.raw)
    # The values stay unsaid: one of them is a token.
    errors = [wrong(one[name], None, f"given {n} times") for name, n in times.items() if n > 1 and name in one]
    if errors:
        raise _problem(400, errors)
    if not request.query_params:
        return
    known = {parameter.alias for parameter in route.dependant.query_params}
    told = {name: request.query_params.getlist(name) for name in request.query_params}
    errors = [wrong(name, values[-1], "no such parameter") for name, values in told.items() if name not in known]
    errors += [
        wrong(name, values, f"given {len(values)} times")
        for name, values in told.items()
        if name in known and len(values) > 1
    ]
    if errors:
        raise _problem(422, errors)


def _problem(status: int, errors: list[WrongValue]) -> Problem:
    return Problem(status, f"{errors[0].field}: {errors[0].reason}", errors=errors)
