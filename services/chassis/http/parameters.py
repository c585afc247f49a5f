"""Refuses parameters that a route does not have: a misspelt filter would otherwise answer with everything, and of one that is
given twice the first would be forgotten.
"""

from typing import Any

from fastapi import Request

from chassis.http.problems import Problem, wrong


def only_known(request: Request) -> None:
    """A dependency of every route. Raises Problem (422)."""
    if not request.query_params:
        return
    route: Any = request.scope["route"]
    known = {parameter.alias for parameter in route.dependant.query_params}
    told = {name: request.query_params.getlist(name) for name in request.query_params}
    errors = [wrong(name, values[-1], "no such parameter") for name, values in told.items() if name not in known]
    errors += [
        wrong(name, values, f"given {len(values)} times")
        for name, values in told.items()
        if name in known and len(values) > 1
    ]
    if errors:
        raise Problem(422, f"{errors[0].field}: {errors[0].reason}", errors=errors)
