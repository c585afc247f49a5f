"""Refuses parameters that a route does not have: a misspelt filter would otherwise answer with everything."""

from typing import Any

from fastapi import Request

from orders.api.problems import Problem, wrong


def only_known(request: Request) -> None:
    """A dependency of every route. Raises Problem (422)."""
    if not request.query_params:
        return
    route: Any = request.scope["route"]
    known = {parameter.alias for parameter in route.dependant.query_params}
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        errors = [wrong(name, request.query_params[name], "no such parameter") for name in unknown]
        raise Problem(422, f"{errors[0].field}: {errors[0].reason}", errors=errors)
