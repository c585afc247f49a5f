"""Other versions of a capstone in a cluster: images with other tags, as the runtime was told."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from conductor.capabilities import HasNewerVersion
from conductor.capstone import application, capability
from conductor.cluster.runtime import KubernetesRuntime, ready_at
from conductor.errors import Refused
from conductor.pools import Role

if TYPE_CHECKING:
    from conductor.harness.cluster_session import ClusterSession

CONSUMERS: tuple[Role, ...] = ("worker",)
PRODUCERS: tuple[Role, ...] = ("api", "relay", "beat")


def newer_tag(runtime: KubernetesRuntime) -> str:
    """The tag of the newer version's image. Refused when none was named."""
    if runtime.next_tag is None:
        raise Refused("--next-tag names no image of a newer version")
    return runtime.next_tag


class ClusterVersions:
    """See conductor.harness.session.Versions."""

    def __init__(self, session: "ClusterSession") -> None:
        self._session = session
        self._newer = capability(session.capstone, HasNewerVersion)
        self._tag = newer_tag(session.runtime)
        self.before = session.runtime.values()

    def previous_beside(self) -> None:
        # The newer version stands for this one, and this one for the version before it.
        return None

    def newer_beside(self) -> None:
        runtime = self._session.runtime
        told = self.before.get("pools") or {}
        canary = {"canary": {"tag": self._tag, "replicas": 1}}
        beside = ("api", "relay", self._newer.pool, self._session.capstone.targets[0].pool)
        pools = {**told, **{name: {**told.get(name, {}), **canary} for name in beside}}
        runtime.deploy(values={**self.before, "pools": pools})
        self._session.reporter.phase(f"{runtime.tag} and {self._tag} side by side: {', '.join(beside)}")
        self._knows(f"deployment/{runtime.own.release}-{self._newer.pool}-canary")

    def newer_alone(self) -> None:
        self._session.runtime.deploy(f"image.tag={self._tag}", values=self.before)
        self._session.reporter.tell(f"every pod is {self._tag}")

    def _knows(self, workload: str) -> None:
        script = f"from {application(self._session.capstone.name)} import app; print({self._newer.task!r} in app.tasks)"
        if self._session.runtime.inside(workload, "python", "-c", script).split()[-1] != "True":
            raise Refused(f"--next-tag {self._tag}: that version has no {self._newer.task}")


@contextlib.contextmanager
def restored(session: "ClusterSession") -> Iterator[ClusterVersions]:
    """Versions to run in the block; after it every pod is what it was before."""
    versions = ClusterVersions(session)
    try:
        yield versions
    finally:
        session.runtime.deploy(values=versions.before)
        session.reporter.tell(f"every pod is {session.runtime.tag} again")


def deploy(session: "ClusterSession", *, back: bool, number: int) -> None:
    """Upgrade the release to the next version, or back, migration included; without a next version every pod is replaced all the same."""
    runtime = session.runtime
    if runtime.next_tag is None:
        # Another one than that of the last drill.
        runtime.deploy(f"secretChecksum=deploy-{session.now():.0f}-{number}")
        return
    runtime.roll_out(runtime.tag if back else runtime.next_tag, session.reporter.tell, back=back)
    _in_order(session, *((PRODUCERS, CONSUMERS) if back else (CONSUMERS, PRODUCERS)))


def _in_order(session: "ClusterSession", first: Sequence[Role], then: Sequence[Role]) -> None:
    """DrillFailed when a pod of the one kind began before every pod of the other was ready."""
    pools = session.runtime.pools()
    pods = {
        role: [pod for name in pools if pools[name].role == role for pod in session.runtime.pods(name)]
        for role in (*first, *then)
    }
    ready = max(ready_at(pod) or "never" for role in first for pod in pods[role])
    began = min(str(pod["metadata"]["creationTimestamp"]) for role in then for pod in pods[role])
    session.expect(ready <= began, f"{', '.join(first)} were ready at {ready}, and {', '.join(then)} came at {began}")
