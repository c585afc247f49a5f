"""The command line, `capstone`: mounts whatever conductor/commands/ and each capstone's own commands/ hold, one file a group, and what
other installed packages offer under the entry point `capstone.commands`.

A module there offers `commands`, a typer app: one with a name becomes `capstone NAME …`, one without adds to the top level. What a
capstone's own modules offer is in the group `capstone <capstone> …` as well.
"""

import importlib
import os
import pkgutil
import signal
import sys
import traceback
from importlib.metadata import entry_points
from types import FrameType

import typer
from rich.console import Console
from rich.markup import escape

from conductor import capstones, commands
from conductor.command_line import as_typed
from conductor.errors import ConductorError

INTERRUPTED = 130
"""The exit status of a command that was told to stop."""

OFFERED = "capstone.commands"
"""The group of entry points by which a package that the conductor does not know adds its commands: each names a module like those here."""

TRACEBACK = "CAPSTONE_TRACEBACK"
"""The environment variable that asks for the whole of an unexpected error."""


def build() -> typer.Typer:
    """The command line. A module of commands imports what its commands need when one of them runs, so that this costs next to nothing."""
    cli = typer.Typer(
        name="capstone",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    cli.callback()(_nothing_more)
    for module in modules():
        cli.add_typer(importlib.import_module(module).commands)
    for name in capstones.names():
        cli.add_typer(_group(name))
    for offered in entry_points(group=OFFERED):
        cli.add_typer(offered.load().commands)
    return cli


def _group(capstone: str) -> typer.Typer:
    """`capstone NAME …`: what the modules of the capstone's own commands hold. A group that is SHORT there is needed without its name."""
    group = typer.Typer(name=capstone, no_args_is_help=True, help=f"What only {capstone} can do.")
    group.callback()(_nothing_more)
    for package in capstones.packages("commands", capstone):
        for module in pkgutil.iter_modules(package.__path__):
            found = importlib.import_module(f"{package.__name__}.{module.name}")
            if getattr(found, "SHORT", False):
                group.registered_commands += found.commands.registered_commands
            else:
                group.add_typer(found.commands)
    return group


def modules() -> list[str]:
    """The full names of the modules that hold commands, sorted by their last part."""
    packages = [commands, *capstones.packages("commands")]
    found = [
        (module.name, package.__name__) for package in packages for module in pkgutil.iter_modules(package.__path__)
    ]
    return [f"{package}.{name}" for name, package in sorted(found)]


def _nothing_more() -> None:
    # Without any of this kind, typer takes the only command of a module for the whole program.
    """Run, watch, break and repair capstones."""


def main() -> None:
    """Run it: an error is one message on stderr and exit status 1, an interruption one line and status 130."""
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGHUP, _interrupted)
    try:
        build()()
    except ConductorError as error:
        _say("error:", as_typed(str(error)))
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as ended:
        # Typer makes an exit status of an interruption, and says nothing.
        if isinstance(ended, SystemExit) and ended.code != INTERRUPTED:
            raise
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 a person at a terminal gets a sentence, whatever it is
        _unexpected(error)
        sys.exit(1)


def _say(what: str, text: str) -> None:
    Console(stderr=True).print(f"[red]{what}[/red] {escape(text)}", soft_wrap=True, highlight=False)


def _unexpected(error: Exception) -> None:
    """One line for an error that nobody foresaw; the whole of it when it is asked for."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
        return
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    _say("unexpected error:", f"{' '.join(what.split())} ({TRACEBACK}=1 shows where)")


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
