"""What a drill is: what it breaks, what a capstone must be able to do for it, with which settings, and where it can be played.

It decides nothing about loss or doubling: that verdict is made from evidence afterwards. It fails by itself only when it could not do what
it is for.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from conductor.capstone import Capstone, capability
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import Refused
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.laptop_session import LaptopSession
from conductor.harness.session import Session

FULL_SIZE = 2000
"""Requests at full size, when a drill does not say otherwise."""


@dataclass(frozen=True, slots=True)
class Drill:
    """`play` is for a laptop as for a cluster; a drill of one of them has `on_laptop` or `on_cluster` instead.

    `needs` are the records of conductor.capabilities without which a capstone cannot be drilled so, `bars` says what else stands against
    it in a capstone, if anything, and `lacks_here` what this laptop lacks to play it as one. `prerequisite` is for a cluster: Refused, with
    the reason, where the installation, or what is known of it, has not what the drill needs. `settings` are environment variables
    of every pool process, on a platform of the drill's own and in a cluster; `pools` changes of the pools' defaults, as in the chart's
    values, on a platform of its own only.
    """

    name: str
    summary: str
    play: Callable[[Session], None] | None = None
    on_laptop: Callable[[LaptopSession], None] | None = field(default=None, kw_only=True)
    on_cluster: Callable[[ClusterSession], None] | None = field(default=None, kw_only=True)
    needs: tuple[type, ...] = ()
    bars: Callable[[Capstone], str | None] = field(default=lambda capstone: None, kw_only=True)
    prerequisite: Callable[[KubernetesRuntime], object] = field(default=lambda runtime: None, kw_only=True)
    lacks_here: Callable[[], str | None] = field(default=lambda: None, kw_only=True)
    requests: int = field(default=FULL_SIZE, kw_only=True)
    settings: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, object] = field(default_factory=dict)

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Where it can be played."""
        local = (self.play or self.on_laptop) is not None and not self.lacks_here()
        cluster = (self.play or self.on_cluster) is not None
        return (*(("local",) if local else ()), *(("kubernetes",) if cluster else ()))

    def check(self, capstone: Capstone) -> None:
        """Refused, with the reason, when the capstone lacks what the drill needs or has what bars it."""
        for kind in self.needs:
            capability(capstone, kind)
        if why := self.bars(capstone):
            raise Refused(f"{capstone.name}: {why}")


def catalogue(*packages: ModuleType) -> dict[str, Drill]:
    """The drills of these packages by name: each of their modules has a `DRILL`."""
    modules = [
        f"{package.__name__}.{module.name}" for package in packages for module in pkgutil.iter_modules(package.__path__)
    ]
    drills: list[Drill] = [importlib.import_module(module).DRILL for module in modules]
    return {drill.name: drill for drill in sorted(drills, key=lambda drill: drill.name)}


def wanted_together(drills: Iterable[Drill]) -> tuple[dict[str, str], dict[str, object]]:
    """The settings, and the changes of the pools' defaults, of a platform that each of these drills can be played on."""
    settings: dict[str, str] = {}
    pools: dict[str, object] = {}
    for drill in drills:
        settings |= drill.settings
        pools |= drill.pools
    return settings, pools
