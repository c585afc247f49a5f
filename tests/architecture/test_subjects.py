"""The map that chooses tests is true: each folder has an entry, each entry a folder, and no test imports what its entry leaves out."""

import re

import pytest
from choosing import Reach, owner
from imports import imports_of_tests, service_imports
from subjects import ROOT, Folder, folders, load, matches

READS_TEXT = re.compile(r'(?<!tmp_path )/ "(?:docs|[^"]*\.md)"|"[^"]*\*\.md"')

MAP = load()
FOLDERS = folders()
IMPORTS = service_imports()
FILES = [
    path.relative_to(ROOT).as_posix()
    for place in (".ci", "charts", "docs", "k8s", "labs", "loadtests", "observability", "scripts", "services", "tests")
    for path in (ROOT / place).rglob("*")
    if path.is_file()
] + [path.name for path in ROOT.iterdir() if path.is_file()]


def test_every_folder_of_tests_has_an_entry_and_every_entry_a_folder() -> None:
    suites, names = {folder.suite for folder in FOLDERS}, {folder.name for folder in FOLDERS}

    assert suites == set(MAP.suites)
    assert set() == set(MAP.folders) - names
    assert set() == {*MAP.always, *MAP.apart} - suites


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_is_named_for_a_folder_exists(folder: Folder) -> None:
    by_name = [pattern for pattern in MAP.suites[folder.suite] if "{subject}" in pattern]
    own = [pattern.replace("{subject}", folder.subject) for pattern in by_name] if folder.subject else []
    fixed = [pattern for pattern in MAP.runs(folder) if pattern not in own and not pattern.startswith("!")]
    unmatched = [pattern for pattern in fixed if not any(matches(file, [pattern]) for file in FILES)]

    assert [] == unmatched
    assert folder.name in MAP.folders or any(matches(file, own or fixed) for file in FILES), "runs nothing of its name"


def test_what_the_other_lists_name_exists() -> None:
    listed = (*MAP.everything, *MAP.nothing, *MAP.documents, *MAP.document_tests)

    assert [] == [pattern for pattern in listed if not any(matches(file, [pattern]) for file in FILES)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_test_imports_what_its_folder_is_not_said_to_run(folder: Folder) -> None:
    reach = Reach((*MAP.everything, *MAP.runs(folder)), IMPORTS)

    strange = {
        (file, imported)
        for file, files in imports_of_tests(folder).items()
        for imported in files
        if owner(imported, FOLDERS) not in (folder.name, folder.suite) and not reach.includes(imported)
    }

    assert set() == strange


def test_a_test_that_reads_text_is_a_documentation_test() -> None:
    # Those of the selection name such paths as data.
    tests = [file for folder in FOLDERS if folder.name != "unit/selection" for file in folder.files]
    reads = {file for file in tests if READS_TEXT.search((ROOT / file).read_text())}

    assert set(MAP.document_tests) == reads
