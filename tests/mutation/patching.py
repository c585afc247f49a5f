"""Puts a mutant in place of the real code: in this process, and for every Python process that it starts."""

import inspect
import os
import shutil
import sys
import types
from pathlib import Path
from typing import Any

from mutants import Mutant

SERVICES = Path(__file__).parents[2] / "services"


def apply(mutant: Mutant, overlay: Path) -> None:
    """Change the imported module in place, and lay a changed copy of its package before the real one for child processes."""
    module = sys.modules[mutant.module]
    changed = types.ModuleType(mutant.module)
    changed.__package__, changed.__file__ = module.__package__, module.__file__
    exec(compile(mutant.source, str(module.__file__), "exec"), vars(changed))
    if mutant.in_function:
        _function(module, mutant.place).__code__ = _function(changed, mutant.place).__code__
    else:
        _replace_everywhere(getattr(module, mutant.place), getattr(changed, mutant.place), mutant.place)
    package = mutant.module.partition(".")[0]
    shutil.copytree(SERVICES / package, overlay / package, ignore=shutil.ignore_patterns("__pycache__"))
    (overlay / Path(str(module.__file__)).relative_to(SERVICES)).write_text(mutant.source)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(overlay), os.environ.get("PYTHONPATH")]))


def _function(module: Any, place: str) -> Any:
    found: Any = module
    for name in place.split("."):
        found = inspect.getattr_static(found, name)
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    return inspect.unwrap(found)


def _replace_everywhere(old: Any, new: Any, name: str) -> None:
    """Also where it was imported by name."""
    for module in list(sys.modules.values()):
        if vars(module).get(name) is old:
            setattr(module, name, new)
