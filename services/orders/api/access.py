"""Who may come in: customers and operators, by their bearer tokens."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends

from chassis.http.problems import Problem, wrong
from chassis.http.threads import HOLDER
from chassis.http.tokens import authenticated
from orders.usecases.intake import Caller

CUSTOMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def caller(who: Mapping[str, Any]) -> Caller:
    """The caller of a token's entry: `{"customer": "c-1"}` or `{"role": "operator"}`. Raises ValueError."""
    match who:
        case {"role": "operator", **rest} if not rest:
            return Caller(None)
        case {"customer": str(customer), **rest} if not rest and CUSTOMER.fullmatch(customer):
            return Caller(customer)
    raise ValueError("neither a customer nor an operator")


async def _known(found: Annotated[Caller, Depends(authenticated)]) -> Caller:
    HOLDER.set(found.customer)
    return found


Known = Annotated[Caller, Depends(_known)]


async def _operator(caller: Known) -> Caller:
    if not caller.operator:
        raise Problem(403, "only operators may do this", errors=[wrong("Authorization", "customer", "is no operator")])
    return caller


Operator = Annotated[Caller, Depends(_operator)]
