"""How the tests are spread over several processes (pytest-xdist, `--dist loadgroup`): what shares costly servers stays together.

Each process starts the servers that its tests ask for, so tests of one file and one broker form a group, and so do all drills of one
broker, which share a platform. A test without such servers may run anywhere. What takes longest is handed out first: two cores then
end at about the same time.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

LONGEST_FIRST = ("drills", "integration", "contract", "charts", "k8s", "unit", "architecture")
"""Folders in the order in which they are handed out."""

FREE = ("charts/test_template_mutants.py",)
"""Files whose tests share nothing that costs."""

BROKERS = ("rabbitmq", "valkey")


def spread(items: list[pytest.Item]) -> None:
    """Put the tests in their order, and mark each with its group."""
    for item in items:
        group = group_of(item.path.relative_to(ROOT).as_posix(), _parameters(item))
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: _rank(item.path.relative_to(ROOT).parts[0]))


def group_of(path: str, parameters: Iterable[object]) -> str | None:
    """The group of a test in this file, below tests/, with these parameters; None when it may run anywhere."""
    if path in FREE:
        return None
    folder = path.partition("/")[0]
    place = folder if folder == "drills" else path
    broker = next((each for each in parameters if each in BROKERS), None)
    # pytest-xdist takes what follows the last @ for the name.
    return f"{place}:{broker}" if broker else place


def _parameters(item: pytest.Item) -> Iterable[object]:
    called = getattr(item, "callspec", None)
    return called.params.values() if called is not None else ()


def _rank(folder: str) -> int:
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)
