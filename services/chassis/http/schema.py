"""The OpenAPI document, made complete: bodies are read by chassis.http.bodies, so FastAPI does not know them by itself."""

from collections.abc import Sequence
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chassis.http.problems import ProblemBody

_REF = "#/components/schemas/{model}"
_READ: Literal["validation"] = "validation"
_WRITTEN: Literal["serialization"] = "serialization"


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """A route's `openapi_extra`: its body."""
    content = {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


def complete(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> None:
    """Add the schemas that routes refer to by name: those of `bodies`, and the problem's."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            _, schemas = models_json_schema(
                [*((model, _READ) for model in bodies), (ProblemBody, _WRITTEN)], ref_template=_REF
            )
            document.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
        return app.openapi_schema or plain()

    app.openapi = openapi  # type: ignore[method-assign]
