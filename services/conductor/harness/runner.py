"""Plays one drill from an empty run directory to its verdict, on a platform of its own or on the one that runs.

A platform of its own lives under .run/drills/, with ports of its own; it is taken down whatever happens. Its directory is removed after
a sound drill and kept, with every log, after any other.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml

from conductor.capstones.orders.checker import Finding, Repeat, Verdict
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import ConductorError, Refused
from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage
from conductor.harness.reporter import Story
from conductor.harness.session import Patience, Size
from conductor.history import now
from conductor.laptop import lifecycle
from conductor.laptop.lifecycle import Wanted
from conductor.laptop.platform import VALUES
from conductor.laptop.runtime import LocalRuntime
from conductor.pools import Broker
from conductor.run_directory import RunDirectory
from conductor.runtime import Runtime

SETTINGS = {
    # What a broker lost, or a dead worker held, is due again soon: a drill wants to see it, not to wait for it.
    "RELAY_LEASE_SECONDS": "5",
    "RECONCILE_EVERY_SECONDS": "15",
    # On Valkey, more than the hard time limit below.
    "VISIBILITY_TIMEOUT_SECONDS": "40",
    # Orders are to be open while they are struck, also when only the carrier is waited for.
    "CARRIER_DELIVERY_DELAY_SECONDS": "3",
    # A busy machine is not what is drilled.
    "OUTSIDE_TIMEOUT_SECONDS": "8",
}
"""Settings of every drill's own platform."""

POOLS = {
    "timeLimitSeconds": 30,
    "softTimeLimitSeconds": 25,
    "drainSeconds": 40,
    "graceSeconds": 50,
    "startupSeconds": 120,
}
"""Defaults of its pools."""

Settings = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one drill. `failure` says why it could not be carried out; `logs` where its platform's logs are kept."""

    drill: str
    broker: Broker
    verdict: Verdict | None
    failure: str | None
    seconds: float
    logs: Path | None = None

    @property
    def sound(self) -> bool:
        """It was carried out, nothing was lost and nothing doubled."""
        return self.failure is None and self.verdict is not None and self.verdict.sound

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What must not be."""
        return tuple(self.verdict.findings) if self.verdict else ()

    @property
    def repeats(self) -> tuple[Repeat, ...]:
        """Mails that came twice, each with its kill."""
        return tuple(self.verdict.repeats) if self.verdict else ()

    def as_json(self) -> dict[str, Any]:
        """The last line, for programs."""
        counts = self.verdict.as_json() if self.verdict else {}
        told: dict[str, Any] = {"drill": self.drill, "broker": self.broker, **counts, "seconds": round(self.seconds, 1)}
        if not self.sound:
            told |= {"failure": self.failure, "findings": [asdict(finding) for finding in self.findings[:20]]}
            told |= {"logs": str(self.logs)} if self.logs else {}
        return told


class Judged(Protocol):
    """A stage that can say how it ended."""

    def verdict(self) -> Verdict:
        """The verdict on its orders."""
        ...


S = TypeVar("S", bound=Judged)


def play_on_cluster(drill: Drill, runtime: KubernetesRuntime, size: Size, story: Story, patience: Patience) -> Played:
    """Play the drill on what is installed in a cluster, and judge it there."""
    if drill.on_cluster is None:
        raise Refused(f"{drill.name} cannot be played in a cluster")

    @contextlib.contextmanager
    def staged() -> Iterator[ClusterStage]:
        runtime.wait_ready()
        stage = ClusterStage(runtime, size, story, patience)
        with stage.judged():
            yield stage

    return _played(drill, runtime.broker, story, staged(), drill.on_cluster)


def play(drill: Drill, runtime: Runtime, size: Size, story: Story, journal: Path, patience: Patience) -> Played:
    """Play the drill on a running platform and judge it; what goes wrong on the way is part of the answer."""
    played = drill.play
    if played is None:
        raise Refused(f"{drill.name} can only be played in a cluster: --runtime kubernetes")

    def act(stage: Stage) -> None:
        played(stage)
        stage.settle()

    staged = contextlib.closing(Stage(runtime, size, story, journal, patience))
    return _played(drill, runtime.broker, story, staged, act)


def _played(
    drill: Drill, broker: Broker, story: Story, staged: AbstractContextManager[S], act: Callable[[S], None]
) -> Played:
    """Act on the stage. A drill that could not be carried out is judged all the same, if it can be."""
    began = time.monotonic()
    failure: str | None = None
    verdict: Verdict | None = None
    try:
        with staged as stage:
            try:
                act(stage)
            except ConductorError as error:
                failure = str(error)
                story.tell(f"[red]{failure}[/red]")
            with contextlib.suppress(ConductorError) if failure else contextlib.nullcontext():
                verdict = stage.verdict()
    except ConductorError as error:
        failure = failure or str(error)
    return Played(drill.name, broker, verdict, failure, time.monotonic() - began)


@contextlib.contextmanager
def own_platform(
    directory: Path, broker: Broker, story: Story, *, settings: Settings, pools: Mapping[str, object]
) -> Iterator[LocalRuntime]:
    """A platform in an empty directory, with the drills' settings and these on top; down again after the block."""
    run = RunDirectory(directory.absolute())
    lifecycle.down(run)
    shutil.rmtree(run.path, ignore_errors=True)
    run.make()
    values = yaml.safe_load(VALUES.read_text())
    values["defaults"] = {**values["defaults"], **POOLS, **pools}
    run.values.write_text(yaml.safe_dump(values))
    story.phase(f"starting a platform of its own with {broker} in {run.path}")
    try:
        lifecycle.up(run, Wanted(broker, {**SETTINGS, **settings}), lambda text: None)
        yield LocalRuntime.running(run)
    finally:
        lifecycle.down(run)


def rehearse(drill: Drill, broker: Broker, size: Size, story: Story, patience: Patience, *, root: Path) -> Played:
    """Play it on a platform of its own below `root`."""
    directory = root / f"{drill.name}-{broker}"
    began = time.monotonic()
    try:
        with own_platform(directory, broker, story, settings=drill.settings, pools=drill.pools) as runtime:
            journal = RunDirectory(directory).journals / f"{drill.name}-{now():.0f}.jsonl"
            played = play(drill, runtime, size, story, journal, patience)
            story.phase("taking the platform down")
    except ConductorError as error:
        played = Played(drill.name, broker, None, str(error), time.monotonic() - began)
    if played.sound:
        shutil.rmtree(directory, ignore_errors=True)
        return played
    return Played(played.drill, broker, played.verdict, played.failure, played.seconds, directory / "logs")
