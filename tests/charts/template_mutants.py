"""Every way to take something out of a template: a block of a condition or a loop, an included part, an outermost key with all below it.

A key inside of another key needs no mutant of its own: when the outer one is rendered, so is it, and the golden files show it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

OPENS = re.compile(r"\{\{-?\s*(if|with|range|define)\b")
ENDS = re.compile(r"\{\{-?\s*end\s*-?\}\}")
KEY = re.compile(r"\s*(- )?[A-Za-z][\w./-]*:( |$)")
ITEM = re.compile(r"\s*- ")
INCLUDES = re.compile(r"\s*\{\{-?\s*include ")


@dataclass(frozen=True, slots=True)
class Mutant:
    """The lines `removed`, from number `first` on (counted from 1), are gone; `text` is the file that is left."""

    first: int
    removed: str
    text: str

    def __str__(self) -> str:
        return f"line {self.first}: {self.removed.splitlines()[0].strip()}"


def balance(lines: list[str]) -> int:
    """Blocks that are opened and not ended; counts an `if … end` on one line as none."""
    return sum(len(OPENS.findall(line)) - len(ENDS.findall(line)) for line in lines)


def mutants(text: str) -> Iterator[Mutant]:
    """Each group of lines of the template that can be taken out and leaves one that parses."""
    lines = text.splitlines()
    within = 0
    for start in range(len(lines)):
        end = _end(lines, start)
        key = KEY.match(lines[start]) or ITEM.match(lines[start])
        if end is None or (key and start < within):
            continue
        if key:
            within = end
        left = "\n".join(lines[:start] + lines[end:]) + "\n"
        yield Mutant(start + 1, "\n".join(lines[start:end]), left)


def _end(lines: list[str], start: int) -> int | None:
    """The line after the group that begins at `start`; None when none does."""
    line = lines[start]
    opened = OPENS.search(line)
    if opened and opened[1] != "define" and balance([line]) > 0:
        depth = 0
        for number in range(start, len(lines)):
            depth += balance([lines[number]])
            if depth == 0:
                return number + 1
        return None
    if INCLUDES.match(line):
        return start + 1
    if KEY.match(line) or ITEM.match(line):
        return _below(lines, start)
    return None


def _below(lines: list[str], start: int) -> int | None:
    """After the key's own line and everything that is indented deeper; None when that cuts a block in two."""
    indent = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and lines[end].strip() and len(lines[end]) - len(lines[end].lstrip()) > indent:
        end += 1
    return end if balance(lines[start:end]) == 0 else None
