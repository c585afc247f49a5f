"""Which tests a change can break. Pure: changed paths, map, imports and day are arguments.

A folder of tests is chosen when a changed path is its own file, is named by its entry in the map, or is imported by what is named. All
paths are relative to the root of the checkout. What is too much is chosen rather than what is too little: a path that nobody knows chooses
everything, and a file that is no module (or no longer one) counts as its package.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from subjects import Folder, SubjectMap, matches

Imports = Mapping[str, Collection[str]]
"""Each module's file, and the files of all modules that it imports, directly or not."""

DAYS = 7
"""Within so many days each test that was left out is run once."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`chosen` has the reason of each folder; `rotated` and `documents` are single files of others, `left_out` the remaining folders."""

    chosen: Mapping[str, str] = field(default_factory=dict)
    documents: tuple[str, ...] = ()
    rotated: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def choose(
    changed: Iterable[str], subject_map: SubjectMap, folders: Collection[Folder], imports: Imports, day: int
) -> Choice:
    """The tests for a change; `day` is the day of the year."""
    paths = sorted(path for path in changed if not matches(path, subject_map.nothing))
    texts = [path for path in paths if matches(path, subject_map.documents)]
    others = [path for path in paths if path not in texts]
    documents = subject_map.document_tests if texts else ()
    if texts and not others:
        return Choice({}, documents, (), tuple(folder.name for folder in folders))

    chosen = {folder.name: "always" for folder in folders if folder.suite in subject_map.always}
    reaches = {folder.name: Reach(subject_map.runs(folder), imports) for folder in folders}
    shared = Reach(subject_map.everything, imports)
    for path in others:
        own = owner(path, folders)
        hit = [each.name for each in folders if own in (each.name, each.suite) or reaches[each.name].includes(path)]
        if shared.includes(path) or not hit:
            return everything(folders, path)
        for name in hit:
            chosen.setdefault(name, path)

    left_out = [folder for folder in folders if folder.name not in chosen]
    rotated = _share(left_out, folders, subject_map, day)
    return Choice(chosen, documents, rotated, tuple(folder.name for folder in left_out))


def everything(folders: Iterable[Folder], reason: str) -> Choice:
    """All folders, for one reason."""
    return Choice({folder.name: reason for folder in folders})


class Reach:
    """What patterns of the map name, and what that imports."""

    def __init__(self, patterns: Sequence[str], imports: Imports) -> None:
        self._patterns = patterns
        named = {module for module in imports if matches(module, self._patterns)}
        self._modules = named.union(*(imports[module] for module in named))
        self._packages = {_parent(module) for module in self._modules}
        self._known = imports
        self._known_packages = {_parent(module) for module in imports}

    def includes(self, path: str) -> bool:
        """Whether the path is named by the map, or imported by what is named."""
        if matches(path, self._patterns) or path in self._modules:
            return True
        if path in self._known:
            return False
        package = next((str(each) for each in PurePosixPath(path).parents if str(each) in self._known_packages), None)
        return package in self._packages


def owner(path: str, folders: Iterable[Folder]) -> str | None:
    """The folder of tests that a path lies in; a suite for what lies beside its folders, as its conftest.py does."""
    match PurePosixPath(path).parts:
        case ["tests", suite, subject, _, *_] if any(folder.name == f"{suite}/{subject}" for folder in folders):
            return f"{suite}/{subject}"
        case ["tests", suite, _, *_]:
            return suite
    return None


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _share(left_out: Iterable[Folder], folders: Iterable[Folder], subject_map: SubjectMap, day: int) -> tuple[str, ...]:
    """The files of the folders left out whose turn it is; a file has the same day whatever else was left out."""
    every = sorted(file for folder in folders for file in folder.files)
    turn = {file: place % DAYS for place, file in enumerate(every)}
    played = [file for folder in left_out if folder.suite not in subject_map.apart for file in folder.files]
    return tuple(file for file in played if turn[file] == day % DAYS)
