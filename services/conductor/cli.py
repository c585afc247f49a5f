"""The command line, `capstone`: mounts whatever conductor/commands/ and each capstone's own commands/ hold, one file a group.

A module there offers `commands`, a typer app: one with a name becomes `capstone NAME …`, one without adds to the top level. A command
that is named like its module is found without importing the others.
"""

import importlib
import pkgutil
import signal
import sys
from types import FrameType

import typer
from rich.console import Console

from conductor import capstones, commands
from conductor.errors import ConductorError

INTERRUPTED = 130
"""The exit status of a command that was told to stop."""


def build(first: str = "") -> typer.Typer:
    """The command line, or no more of it than its `first` word needs."""
    cli = typer.Typer(
        name="capstone",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    cli.callback()(_nothing_more)
    found = modules()
    named = first.replace("-", "_")
    for module in [found[named]] if named in found else found.values():
        cli.add_typer(importlib.import_module(module).commands)
    return cli


def modules() -> dict[str, str]:
    """The modules that hold commands: a full name for each last part of one, sorted."""
    packages = [commands, *capstones.packages("commands")]
    found = [
        (module.name, package.__name__) for package in packages for module in pkgutil.iter_modules(package.__path__)
    ]
    return {name: f"{package}.{name}" for name, package in sorted(found)}


def _nothing_more() -> None:
    # Without any of this kind, typer takes the only command of a module for the whole program.
    """Run, watch, break and repair the orders platform."""


def main() -> None:
    """Run it: an error is one message on stderr and exit status 1."""
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGHUP, _interrupted)
    try:
        build(*sys.argv[1:2])()
    except ConductorError as error:
        Console(stderr=True).print(f"[red]error:[/red] {error}", soft_wrap=True, highlight=False, markup=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
