"""What the conductor knows about each capstone: one package a capstone, found by its folder."""

import importlib.util
import pkgutil
from types import ModuleType


def names() -> tuple[str, ...]:
    """Those there are, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg))


def packages(name: str) -> list[ModuleType]:
    """The package `name` of every capstone that has one."""
    found = [f"{__name__}.{capstone}" for capstone in names()]
    return [importlib.import_module(f"{one}.{name}") for one in found if importlib.util.find_spec(f"{one}.{name}")]
