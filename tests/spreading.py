"""How the tests are spread over several processes by pytest-xdist: what shares costly servers stays together.

Each process starts the servers that its tests ask for, so tests of one file and one broker form a group, and so do the drills of a capstone
unless they name RabbitMQ. Those are handed out one by one: each process plays its share on a platform of its own, and most of a drill is
waiting. A test without such servers may run anywhere. What takes longest is handed out first, so that all processes end at about the same
time.
(`--dist loadgroup` would group as well; with pytest 9 it does not see its own marks: pytest-xdist 3.8.)
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

LONGEST_FIRST = ("drills", "integration", "contract", "charts", "k8s", "unit", "architecture")
"""Folders in the order in which they are handed out."""

FREE = ("charts/test_template_mutants.py",)
"""Files whose tests share nothing that costs."""

BROKERS = ("rabbitmq", "valkey")

LONG = (
    *("stuck-consumer", "point-in-time-restore", "mixed-versions", "reconciliation_off"),
    *("conductor/test_platform.py", "conductor/test_cdnow.py", "chassis/test_heartbeat.py"),
)
"""Parts of the names of what takes a minute or more, alone or as a group."""


class ByServers(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole groups."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _reschedule(self, node: Any) -> None:
        # One test more than the one that runs is enough to go on; a second one might be a drill that another process has time for.
        if not self.workqueue or self._pending_of(self.assigned_work[node]) <= 1:
            super()._reschedule(node)


def group_of(nodeid: str) -> str:
    """The group of a test: `tests/FOLDER/…/FILE::NAME[PARAMETERS]`."""
    path, _, name = nodeid.removeprefix("tests/").partition("::")
    if path in FREE:
        return nodeid
    parameters = name.partition("[")[2].rstrip("]").split("-")
    broker = next((each for each in parameters if each in BROKERS), "")
    if path.startswith("drills/"):
        return nodeid if broker == "rabbitmq" else path.rpartition("/")[0]
    return f"{path} {broker}"


def order(items: list[pytest.Item]) -> None:
    """Put the tests in the order in which they are handed out."""
    items.sort(key=lambda item: _rank(item.nodeid.removeprefix("tests/")))


def _rank(name: str) -> tuple[int, bool, bool]:
    folder = name.partition("/")[0]
    place = LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)
    # A process that came to a group of drills from single ones would go back to them, and start three platforms where two do, or one.
    return place, group_of(name) == name, not any(long in name for long in LONG)
