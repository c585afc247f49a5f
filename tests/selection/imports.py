"""Who imports what: between modules of the services (by grimp), and from test files (by ast, without running them)."""

import ast
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import grimp
from subjects import ROOT, Folder

SEARCHED = ("tests", "services", "charts", "scripts", "")
"""Where a test finds a module that does not lie beside it, as its conftest.py says; from the root."""


def service_imports() -> dict[str, frozenset[str]]:
    """The file of each module of the services, and those of all modules that it imports, directly or not."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    graph = grimp.build_graph(*packages)
    files = {module: file for module in graph.modules if (file := _module_file(module, ROOT / "services"))}
    return {
        file: frozenset(files[each] for each in _with_packages(graph.find_upstream_modules(module)) if each in files)
        for module, file in files.items()
    }


def _with_packages(modules: Iterable[str]) -> set[str]:
    """Modules, and the packages that Python imports before them."""
    parts = (module.split(".") for module in modules)
    return {".".join(each[:length]) for each in parts for length in range(1, len(each) + 1)}


def imports_of_tests(folder: Folder) -> Mapping[str, frozenset[str]]:
    """The files in this checkout that each test file of a folder imports; imports of test code are followed."""
    conftests = [str(path.relative_to(ROOT)) for path in (ROOT / "tests" / folder.name).rglob("conftest.py")]
    found = {}
    for file in [*folder.files, *conftests]:
        seen: set[str] = set()
        waiting = [file]
        while waiting:
            for each in _imported(waiting.pop()) - seen:
                seen.add(each)
                if each.startswith("tests/"):
                    waiting.append(each)
        found[file] = frozenset(seen)
    return found


@cache
def _imported(file: str) -> frozenset[str]:
    beside = [parent for parent in (ROOT / file).parents if ROOT / "tests" in parent.parents]
    places = [*beside, *(ROOT / place for place in SEARCHED)]
    files = set()
    for name in _names((ROOT / file).read_text()):
        hits = (hit for place in places if (hit := _module_file(name, place)))
        files.update([hit for hit in [next(hits, None)] if hit and hit != file])
    return frozenset(files)


def _names(source: str) -> Iterator[str]:
    """Every name that may be a module: of `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{each.name}" for each in names)


def _module_file(module: str, place: Path) -> str | None:
    path = place.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file.relative_to(ROOT).as_posix()
    return None
