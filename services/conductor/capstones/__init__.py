"""The capstones: one package each, found by its folder here or in the same place of a folder of CAPSTONE_PATH.

`capstone.py` in it holds CAPSTONE, and it may have commands/ and drills/.
"""

import importlib.util
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from conductor.errors import Refused
from conductor.run_directory import FIRST, RunDirectory, roots

if TYPE_CHECKING:
    from conductor.capstone import Capstone


OWN = tuple(__path__)
"""Where this package lies: in a checkout, or in an image, which has no charts beside it."""


def search() -> None:
    """Make the packages of CAPSTONE_PATH importable, and only those. Refused when it names what is no folder."""
    __path__[:] = [*OWN, *(str(root / "services" / "conductor" / "capstones") for root in roots()[1:])]


def names() -> tuple[str, ...]:
    """Those there are, in alphabetical order."""
    search()
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg))


def named(name: str) -> "Capstone":
    """One of them; Refused names those there are."""
    if name not in names():
        raise Refused(f'no capstone is named "{name}"; there are {", ".join(names())}')
    # Not before it is asked for: every command finds its modules by this package.
    from conductor.capstone import load

    return load(name)


def known(asked: Iterable[str]) -> tuple[str, ...]:
    """These names, `all` being every one; Refused when there is no such capstone."""
    return tuple(named(each).name for name in asked for each in (names() if name == "all" else (name,)))


def chosen(name: str | None) -> "Capstone":
    """The one with this name; when none is named, the only one that runs here, or the one that `up` starts then.

    Refused when several run and none is named.
    """
    # Not before it is asked for: no other command here needs the laptop's state.
    from conductor.laptop import state

    own = state.load(RunDirectory.chosen().state)
    running = own.capstones if own else [FIRST]
    if name is None and len(running) != 1:
        raise Refused(f"--capstone: which one? There run {', '.join(running)}")
    return named(name or running[0])


def packages(part: str, *capstones: str) -> list[ModuleType]:
    """The package `part` (`commands`, `drills`) of these capstones, or of all, as far as they have one."""
    found = [f"{__name__}.{capstone}.{part}" for capstone in capstones or names()]
    return [importlib.import_module(module) for module in found if importlib.util.find_spec(module)]
