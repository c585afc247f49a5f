"""The OpenAPI document, made complete: bodies are read by orders.api.bodies, so FastAPI does not know them by itself."""

from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orders.api.bodies import CarrierEventBody, PlaceOrderBody, ProductBody, RestockBody
from orders.api.problems import ProblemBody

_REF = "#/components/schemas/{model}"
_BODIES: tuple[type[BaseModel], ...] = (CarrierEventBody, PlaceOrderBody, ProductBody, RestockBody)
_READ: Literal["validation"] = "validation"
_WRITTEN: Literal["serialization"] = "serialization"


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """A route's `openapi_extra`: its body."""
    content = {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


def complete(app: FastAPI) -> None:
    """Add the schemas that routes refer to by name."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            _, bodies = models_json_schema(
                [*((model, _READ) for model in _BODIES), (ProblemBody, _WRITTEN)], ref_template=_REF
            )
            document.setdefault("components", {}).setdefault("schemas", {}).update(bodies["$defs"])
        return app.openapi_schema or plain()

    app.openapi = openapi  # type: ignore[method-assign]
