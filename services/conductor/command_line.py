"""How a person types this program here, so that a command that it prints can be copied and works."""

import os
import shutil
import sys
from pathlib import Path

NAME = "capstone"


def typed() -> str:
    """`capstone` where the shell finds this very program by that name, else its path, seen from the current folder when it lies below."""
    program = Path(sys.argv[0]).absolute()
    if program.name != NAME:
        program = Path(sys.executable).parent / NAME
    found = shutil.which(NAME)
    if found is not None and os.path.realpath(found) == os.path.realpath(program):
        return NAME
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else str(program)


def as_typed(text: str) -> str:
    """The text with every command in backticks written as it is typed here."""
    return text.replace(f"`{NAME} ", f"`{typed()} ")
