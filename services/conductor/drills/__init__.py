"""The drills, one file each: `DRILL` says what it breaks, with which settings, and plays it on a stage.

One file drills a laptop and a cluster, where that makes sense. It decides nothing about loss or doubling:
that verdict is made from evidence afterwards. It fails by itself only when it could not do what it is for.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from conductor.cluster_stage import ClusterStage
from conductor.errors import Refused
from conductor.stage import Stage

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


def catalogue() -> dict[str, Drill]:
    """Every drill by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    drills: list[Drill] = [importlib.import_module(f"{__name__}.{name}").DRILL for name in names]
    return {drill.name: drill for drill in drills}


def named(name: str) -> Drill:
    """One of them; Refused names those there are."""
    drills = catalogue()
    if name not in drills:
        raise Refused(f'no drill is named "{name}"; there are {", ".join(drills)}')
    return drills[name]
