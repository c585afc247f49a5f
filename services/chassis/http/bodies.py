"""How a request's body is read. Strict: no number in quotes, no unknown field, no control characters (PostgreSQL takes no U+0000, a mail
header no line break).
"""

from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from chassis.http.problems import Problem, field, wrong

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
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        parts = error.errors(include_url=False, include_context=False)
    if parts[0]["type"] == "json_invalid":
        raise Problem(400, parts[0]["msg"], errors=[wrong("body", None, parts[0]["msg"])])
    values = [
        wrong(field(part["loc"]), None if part["type"] == "missing" else part["input"], part["msg"]) for part in parts
    ]
    raise Problem(422, f"{values[0].field}: {values[0].reason}", errors=values)
