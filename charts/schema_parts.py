"""How a field of ours becomes a key of a schema: with the text under it, its bounds, and nothing that values.yaml says already."""

import ast
import inspect
import itertools
import textwrap
from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


def documented(model: type[BaseModel]) -> dict[str, str]:
    """The text under each field of a class and of its parents, as one paragraph."""
    found: dict[str, str] = {}
    for parent in reversed(model.__mro__):
        if "__annotations__" not in vars(parent) or parent.__module__.startswith("pydantic"):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(parent))).body
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for field, text in itertools.pairwise(body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                    found[name] = " ".join(said.split())
    return found


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting belongs into a secret: it never shows its value."""
    return not field.repr or field.annotation is SecretStr


def optional(field: FieldInfo, description: str | None = None) -> tuple[Any, Any]:
    """The same field, with its bounds, that may be left out."""
    bounded: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation  # type: ignore[maybe-unrecognized-str-typeform, unused-ignore]
    return bounded, Field(None, description=description)


class Plain(GenerateJsonSchema):
    """No titles, no defaults (they are in values.yaml) and no nulls: a key is left out instead."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """What is inside."""
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """What is inside."""
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Names that do not fit their pattern are refused, like keys that nobody knows."""
        found = super().dict_schema(schema)
        return {**found, "additionalProperties": False} if "patternProperties" in found else found

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Without the class's name."""
        return {key: value for key, value in super().model_schema(schema).items() if key != "title"}
