"""Carries out a check that only one lab has: a function in the lab's own folder `checks/`, in the trusted checkout.

The function takes the session and the parameters `arguments`, and returns a Finding (grader.session has `passed` and `failed`). It runs
in the grader's process and must therefore never import the learner's code, nor unpickle what it got from it.
"""

import importlib.util
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import Field, field_validator

from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.errors import Unable
from grader.session import Session


class Parameters(Strict):
    """Which function, and what it is told."""

    call: str = Field(description="FILE:FUNCTION, the file in the lab's folder checks/ without its .py.")
    arguments: Mapping[str, Any] = Field(default_factory=dict, description="Keyword arguments of the function.")

    @field_validator("call")
    @classmethod
    def _in_the_lab(cls, call: str) -> str:
        file, _, function = call.partition(":")
        if not file.isidentifier() or not function.isidentifier():
            raise ValueError("FILE:FUNCTION is expected, both names of Python")
        return call


def run(parameters: Parameters, session: Session) -> Finding:
    """What the function finds."""
    file, _, name = parameters.call.partition(":")
    path = session.lab / "checks" / f"{file}.py"
    function = getattr(_loaded(path), name, None)
    if not inspect.isfunction(function):
        raise Unable(f"{path} has no function {name}")
    finding = function(session, **parameters.arguments)
    if not isinstance(finding, Finding):
        raise Unable(f"{path}: {name} returned no Finding")
    return finding


def _loaded(path: Path) -> ModuleType:
    """The module, of its own name in nobody's way: the checks of two labs may share a file name."""
    spec = importlib.util.spec_from_file_location(f"lab_checks_{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise Unable(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
