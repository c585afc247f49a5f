"""Modules that tests import by name have names of their own.

The folders of all tests that run are searched for them, in an order that depends on which tests run.
"""

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_no_two_modules_that_tests_import_by_name_have_the_same_name() -> None:
    names = Counter(
        path.stem
        for path in TESTS.rglob("*.py")
        if not path.name.startswith("test_") and path.stem not in ("conftest", "__init__")
    )

    assert [] == [name for name, times in names.items() if times > 1]
