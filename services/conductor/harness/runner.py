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

from conductor.capstone import Capstone, Patience, Size
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import ClusterFailed, ConductorError, Refused
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.harness.reporter import Reporter
from conductor.history import now
from conductor.laptop import lifecycle
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.volume import release_below
from conductor.laptop.wanted import Wanted
from conductor.pools import Broker
from conductor.run_directory import RunDirectory, chart
from conductor.runtime import ProcessRuntime
from conductor.verdict import Excused, Finding, Verdict

SETTINGS = {
    # What a broker lost, or a dead worker held, is due again soon: a drill wants to see it, not to wait for it.
    "RELAY_LEASE_SECONDS": "5",
    # On Valkey, more than the hard time limit below.
    "VISIBILITY_TIMEOUT_SECONDS": "40",
}
"""Settings of every drill's own platform; a capstone adds its own."""

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
    def excused(self) -> tuple[Excused, ...]:
        """What happened twice and may have, each with its reason."""
        return tuple(self.verdict.excused) if self.verdict else ()

    def as_json(self) -> dict[str, Any]:
        """The last line, for programs."""
        counts = self.verdict.as_json() if self.verdict else {}
        told: dict[str, Any] = {"drill": self.drill, "broker": self.broker, **counts, "seconds": round(self.seconds, 1)}
        if not self.sound:
            told |= {"failure": self.failure, "findings": [asdict(finding) for finding in self.findings[:20]]}
            told |= {"logs": str(self.logs)} if self.logs else {}
        return told


class Judged(Protocol):
    """A session that can say how it ended."""

    def verdict(self) -> Verdict:
        """The verdict on its requests."""
        ...


S = TypeVar("S", bound=Judged)


def play_on_cluster(
    drill: Drill, capstone: Capstone, runtime: KubernetesRuntime, size: Size, reporter: Reporter, patience: Patience
) -> Played:
    """Play the drill on what is installed in a cluster, and judge it there. Refused when drill, capstone and runtime do not go together."""
    act: Callable[[ClusterSession], None] | None = drill.play or drill.on_cluster
    if act is None:
        raise Refused(f"{drill.name} cannot be played in a cluster")
    drill.check(capstone)
    began = time.monotonic()
    try:
        drill.prerequisite(runtime)
    except ClusterFailed as error:
        return Played(drill.name, runtime.broker, None, str(error), time.monotonic() - began)

    @contextlib.contextmanager
    def opened() -> Iterator[ClusterSession]:
        with runtime.configured(drill.settings):
            runtime.wait_ready()
            session = ClusterSession(capstone, runtime, size, reporter, patience)
            with session.judged():
                yield session

    return _played(drill, runtime.broker, reporter, opened(), act)


def play(
    drill: Drill,
    capstone: Capstone,
    runtime: ProcessRuntime,
    size: Size,
    reporter: Reporter,
    journal: Path,
    patience: Patience,
) -> Played:
    """Play the drill on a running platform and judge it. A failure on the way is part of what is returned. Refused: see play_on_cluster."""
    act: Callable[[LaptopSession], None] | None = drill.play or drill.on_laptop
    if act is None:
        raise Refused(f"{drill.name} can only be played in a cluster: --runtime kubernetes")
    if why := drill.lacks_here():
        raise Refused(f"{drill.name}: {why}")
    drill.check(capstone)
    session = LaptopSession(capstone, runtime, size, reporter, journal, patience)
    return _played(drill, runtime.broker, reporter, contextlib.closing(session), act)


def _played(
    drill: Drill, broker: Broker, reporter: Reporter, opened: AbstractContextManager[S], act: Callable[[S], None]
) -> Played:
    """Play it in the session. A drill that could not be carried out is judged all the same, if it can be."""
    began = time.monotonic()
    failure: str | None = None
    verdict: Verdict | None = None
    try:
        with opened as session:
            try:
                act(session)
            except ConductorError as error:
                failure = str(error)
                reporter.tell(f"[red]{failure}[/red]")
            with contextlib.suppress(ConductorError) if failure else contextlib.nullcontext():
                verdict = session.verdict()
    except ConductorError as error:
        failure = failure or str(error)
    return Played(drill.name, broker, verdict, failure, time.monotonic() - began)


@contextlib.contextmanager
def own_platform(
    directory: Path,
    capstone: Capstone,
    broker: Broker,
    reporter: Reporter,
    *,
    settings: Settings,
    pools: Mapping[str, object],
) -> Iterator[LocalRuntime]:
    """A platform in an empty directory, with the drills' settings and these on top; down again after the block."""
    run = RunDirectory(directory.absolute())
    lifecycle.down(run)
    release_below(run.path)
    shutil.rmtree(run.path, ignore_errors=True)
    run.make()
    values = yaml.safe_load((chart(capstone.name) / "values.yaml").read_text())
    values["defaults"] = {**values["defaults"], **POOLS, **pools}
    run.values(capstone.name).write_text(yaml.safe_dump(values))
    reporter.phase(f"starting a platform of its own with {broker} in {run.path}")
    try:
        own = {**SETTINGS, **capstone.drill_settings, **settings}
        lifecycle.up(run, Wanted(broker, own, capstones=(capstone.name,)), lambda text: None)
        yield LocalRuntime.running(run, capstone.name)
    finally:
        lifecycle.down(run)


def play_on_own_platform(
    drill: Drill, capstone: Capstone, broker: Broker, size: Size, reporter: Reporter, patience: Patience, *, root: Path
) -> Played:
    """Play it on a platform of its own below `root`. Refused: see play_on_cluster."""
    if why := drill.lacks_here():
        raise Refused(f"{drill.name}: {why}")
    drill.check(capstone)
    directory = root / f"{drill.name}-{broker}"
    began = time.monotonic()
    try:
        with own_platform(directory, capstone, broker, reporter, settings=drill.settings, pools=drill.pools) as runtime:
            journal = RunDirectory(directory).journals(capstone.name) / f"{drill.name}-{now():.0f}.jsonl"
            played = play(drill, capstone, runtime, size, reporter, journal, patience)
            reporter.phase("taking the platform down")
    except ConductorError as error:
        played = Played(drill.name, broker, None, str(error), time.monotonic() - began)
    if played.sound:
        shutil.rmtree(directory, ignore_errors=True)
        return played
    return Played(played.drill, broker, played.verdict, played.failure, played.seconds, directory / "logs")
