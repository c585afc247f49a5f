"""How a request's body is read. Strict: no number in quotes, no unknown field, no control characters (PostgreSQL takes no U+0000, a mail
header no line break), no name twice in an object (RFC 8259, 4: what such an object means is not agreed upon).
"""

import json
from collections import Counter
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from chassis.http.problems import Problem, WrongValue, field, wrong

# Not blank.
PRINTABLE = r"^[^\x00-\x20\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"


def _whole(value: Any) -> Any:
    # JSON knows one kind of number: 2.0 is the integer 2 (JSON Schema, 6.1.1), however a client writes it.
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


Whole = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, StringConstraints(max_length=200, pattern=PRINTABLE)]


class Body(BaseModel):
    """A request's body."""

    model_config = ConfigDict(strict=True, extra="forbid")


B = TypeVar("B", bound=BaseModel)


async def read(request: Request, model: type[B]) -> B:
    """The body. Raises Problem: 415 when it is not JSON by name, 400 when not by nature, 422 with everything that is wrong in it."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        reason = "needs to be application/json"
        raise Problem(415, f"Content-Type {reason}", errors=[wrong("Content-Type", kind, reason)])
    body = await request.body()
    found: B | None = None
    errors: list[WrongValue] = []
    try:
        found = model.model_validate_json(body)
    except ValidationError as error:
        parts = error.errors(include_url=False, include_context=False)
        if parts[0]["type"] == "json_invalid":
            reason = parts[0]["msg"]
            raise Problem(400, reason, errors=[wrong("body", None, reason)]) from None
        errors = [
            wrong(field(part["loc"]), None if part["type"] == "missing" else part["input"], part["msg"])
            for part in parts
        ]
    errors += _repeated(json.loads(body, object_pairs_hook=_Pairs, parse_int=str, parse_float=str))
    if found is None or errors:
        raise Problem(422, f"{errors[0].field}: {errors[0].reason}", errors=errors)
    return found


def _repeated(value: object, location: tuple[int | str, ...] = ()) -> list[WrongValue]:
    """Where a name stands twice in an object of `value`, whose objects are lists of pairs."""
    if isinstance(value, _Pairs):
        counts = Counter(name for name, _ in value)
        found = [wrong(field((*location, name)), None, f"given {n} times") for name, n in counts.items() if n > 1]
        return found + [error for name, inner in value for error in _repeated(inner, (*location, name))]
    if isinstance(value, list):
        return [error for i, inner in enumerate(value) for error in _repeated(inner, (*location, i))]
    return []


class _Pairs(list[tuple[str, object]]):
    """A JSON object with all that stands in it, since a dict keeps the last of two equal names."""
