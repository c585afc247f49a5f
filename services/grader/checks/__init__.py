"""The check kinds, one module each: the module's name is the kind's.

A kind has `Parameters`, a pydantic model of what a lab.yaml may say below `with`, and `run(parameters, session)`, which drives the
learner's code and returns a Finding. It raises Unable when the grader lacks something; whatever else it raises is a fault of the grader as
well, and never the learner's. It reads outcomes, never the learner's source.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from grader.domain.verdict import Finding
from grader.session import Session


class Strict(BaseModel):
    """Parameters that refuse a key they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def kinds() -> list[str]:
    """The names of all kinds, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def parameters(kind: str) -> type[BaseModel]:
    """The model of what a kind may be told; KeyError when there is no such kind."""
    return cast("type[BaseModel]", _module(kind).Parameters)


def run(kind: str) -> Callable[[Any, Session], Finding]:
    """What carries out a check of this kind."""
    return cast("Callable[[Any, Session], Finding]", _module(kind).run)


def _module(kind: str) -> Any:
    if kind not in kinds():
        raise KeyError(kind)
    return importlib.import_module(f"{__name__}.{kind}")
