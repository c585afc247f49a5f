"""The map of tests: which folders there are, and which paths of the checkout each one runs. Reads tests/subjects.toml and the file tree."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MAP = ROOT / "tests" / "subjects.toml"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of tests. `name` is SUITE/SUBJECT, or SUITE for tests directly in it; `files` are paths from the root."""

    name: str
    files: tuple[str, ...]

    @property
    def suite(self) -> str:
        """The first part of the name."""
        return self.name.partition("/")[0]

    @property
    def subject(self) -> str:
        """The second part of the name, or nothing."""
        return self.name.partition("/")[2]


@dataclass(frozen=True, slots=True)
class SubjectMap:
    """tests/subjects.toml; the comments there say what each entry means."""

    everything: tuple[str, ...] = ()
    nothing: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    document_tests: tuple[str, ...] = ()
    suites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def runs(self, folder: Folder) -> tuple[str, ...]:
        """The patterns of a folder, without those of a subject when it has none."""
        patterns = self.suites.get(folder.suite, ()) + self.folders.get(folder.name, ())
        return tuple(
            pattern.replace("{subject}", folder.subject)
            for pattern in patterns
            if folder.subject or "{subject}" not in pattern
        )


def load(path: Path = MAP) -> SubjectMap:
    """Read the map. Raises TypeError for an entry that it does not know."""
    told = tomllib.loads(path.read_text())
    documentation = told.pop("documentation")
    suites, folders = ({key: tuple(runs) for key, runs in told.pop(name).items()} for name in ("suites", "folders"))
    documents, document_tests = tuple(documentation["paths"]), tuple(documentation["tests"])
    lists: dict[str, Any] = {name: tuple(paths) for name, paths in told.items()}
    return SubjectMap(documents=documents, document_tests=document_tests, suites=suites, folders=folders, **lists)


def folders(root: Path = ROOT) -> tuple[Folder, ...]:
    """Every folder that holds tests, at most two levels below tests/; what lies deeper belongs to it."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "tests").glob("*/**/test_*.py")):
        parts = path.relative_to(root / "tests").parts[:-1]
        found.setdefault("/".join(parts[:2]), []).append(path.relative_to(root).as_posix())
    return tuple(Folder(name, tuple(files)) for name, files in sorted(found.items()))


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether the last pattern that fits names the path, and does not take it away."""
    named = False
    for pattern in patterns:
        if _expression(pattern.removeprefix("!")).fullmatch(path):
            named = not pattern.startswith("!")
    return named


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = {"**": ".*", "*": "[^/]*"}
    text = "".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", pattern))
    return re.compile(f"{text}(/.*)?")
