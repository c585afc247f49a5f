"""What a drill is: what it breaks, with which settings, and where it can be played.

It decides nothing about loss or doubling: that verdict is made from evidence afterwards. It fails by itself only when it could not do what
it is for.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from conductor.harness.cluster_session import ClusterStage
from conductor.harness.laptop_session import Stage

FULL_SIZE = 2000
"""Orders at full size, when a drill does not say otherwise."""


@dataclass(frozen=True, slots=True)
class Drill:
    """What is played on a laptop, and `on_cluster` what in a cluster; None where it cannot be.

    `settings` are environment variables of every pool process; `pools` changes of the pools' defaults, as in the chart's values: both are
    for the laptop's platform of its own.
    """

    name: str
    summary: str
    play: Callable[[Stage], None] | None = None
    on_cluster: Callable[[ClusterStage], None] | None = None
    orders: int = field(default=FULL_SIZE, kw_only=True)
    settings: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, object] = field(default_factory=dict)

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Where it can be played."""
        return tuple(name for name, play in (("local", self.play), ("kubernetes", self.on_cluster)) if play is not None)


def catalogue(*packages: ModuleType) -> dict[str, Drill]:
    """The drills of these packages by name: each of their modules has a `DRILL`."""
    modules = [
        f"{package.__name__}.{module.name}" for package in packages for module in pkgutil.iter_modules(package.__path__)
    ]
    drills: list[Drill] = [importlib.import_module(module).DRILL for module in modules]
    return {drill.name: drill for drill in sorted(drills, key=lambda drill: drill.name)}
