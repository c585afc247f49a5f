"""A digest of what decides the verdict on one answer: gradings of it add up for as long as that is the same.

What decides nothing does not change it: comments, docstrings and layout of Python; title, minutes and hints of a lab; the rest of the
grader. Of the grader the kinds of the lab's checks belong to it, and those that the lab's own checks import.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grader import checks
from grader.catalog import Catalog, starting_files
from grader.domain.lab import Check

KINDS = Path(checks.__file__).parent


def fingerprint(catalog: Catalog, slug: str, answer: str) -> str:
    """Twelve hexadecimal digits; `answer` is a folder in the lab's `answers/`, or another name when the lab has no such folder."""
    lab, folder = catalog.lab(slug), catalog.folder / slug
    digest = hashlib.sha256(json.dumps([lab.servers, *map(_decides, lab.checks)], sort_keys=True).encode())
    own = list(_files(folder / "checks"))
    kinds = {check.kind for check in lab.checks} | {kind for path in own for kind in _kinds_of(path)}
    given = [path for part in [*starting_files(folder, lab), folder / "answers" / answer] for path in _files(part)]
    for path in [*own, *given, *(KINDS / f"{kind}.py" for kind in sorted(kinds))]:
        digest.update(f"\0{path.name}\0".encode() + _meaning(path))
    expected = folder / "answers" / f"{answer}.json"
    if expected.exists():
        digest.update(json.dumps(json.loads(expected.read_text()), sort_keys=True).encode())
    return digest.hexdigest()[:12]


def _decides(check: Check) -> list[Any]:
    return [
        check.id,
        check.points,
        check.kind,
        check.parameters.model_dump(mode="json"),
        check.needs,
        check.servers,
        check.seconds,
    ]


def _files(part: Path) -> Iterator[Path]:
    every = [part] if part.is_file() else sorted(part.rglob("*"))
    yield from (path for path in every if path.is_file() and path.suffix != ".pyc")


def _meaning(path: Path) -> bytes:
    """A file's bytes; of a Python program that can be read, without what Python does not carry out."""
    text = path.read_bytes()
    if path.suffix != ".py":
        return text
    try:
        program = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    for node in ast.walk(program):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = [*node.body[1:], ast.Pass()]
    return ast.unparse(program).encode()


def _kinds_of(path: Path) -> set[str]:
    """The kinds that a check of a lab's own imports."""
    if path.suffix != ".py":
        return set()
    imports = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.ImportFrom)]
    named = {name.name for node in imports if node.module == checks.__name__ for name in node.names}
    within = {
        str(node.module).rpartition(".")[2] for node in imports if str(node.module).startswith(f"{checks.__name__}.")
    }
    return (named | within) & set(checks.kinds())
