"""What an installation in a cluster looks like now: its workloads, their pods, and the requests of each capstone by state. Reads only."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from conductor.capstone import load
from conductor.cluster import quorum_queues
from conductor.cluster.installation import PLATFORM
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.releases import name_of, restarts_of
from conductor.cluster.runtime import KubernetesRuntime, ready_at
from conductor.errors import ClusterFailed


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment or StatefulSet: pods that should be there, and those that are ready; `restarts` of their containers."""

    name: str
    wanted: int
    ready: int
    restarts: int
    images: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """`ready` when each workload has the ready pods that it should have; `requests` by capstone and state, None for
    one whose database does not answer; `broker` what is wrong with queues and nodes of a broker of several nodes, in sentences."""

    namespace: str
    ready: bool
    workloads: Sequence[Workload]
    requests: Mapping[str, Mapping[str, int] | None]
    broker: Sequence[str] = ()


def look(runtimes: Sequence[KubernetesRuntime]) -> ClusterStatus:
    """One look at capstones of one namespace. Raises ClusterFailed when kubectl cannot."""
    kubectl = runtimes[0].kubectl
    releases = [f"app.kubernetes.io/instance={one.own.release}" for one in runtimes]
    found = [one for selector in (*releases, PLATFORM) for one in _workloads(kubectl, selector)]
    return ClusterStatus(
        namespace=kubectl.namespace,
        ready=bool(found) and all(one.ready >= one.wanted for one in found),
        workloads=found,
        requests={one.capstone: _by_state(one) for one in runtimes},
        broker=_of_broker(kubectl, found),
    )


def _of_broker(kubectl: Kubectl, found: Sequence[Workload]) -> list[str]:
    if not any(one.name == quorum_queues.BROKER and one.wanted > 1 for one in found):
        return []
    try:
        queues = quorum_queues.unsettled(quorum_queues.look(kubectl), quorum_queues.wanted_members(kubectl))
    except ClusterFailed as error:
        queues = [str(error)]
    return [*queues, *quorum_queues.crowded(kubectl)]


def _workloads(kubectl: Kubectl, selector: str) -> list[Workload]:
    listed = json.loads(kubectl("get", "deployment,statefulset", "--selector", selector, "--output", "json"))["items"]
    pods = kubectl.pods(selector)
    found = []
    for one in listed:
        labels = one["spec"]["selector"]["matchLabels"].items()
        mine = [pod for pod in pods if labels <= pod["metadata"]["labels"].items()]
        containers = one["spec"]["template"]["spec"]["containers"]
        found.append(
            Workload(
                name=name_of(one),
                wanted=one["spec"].get("replicas", 1),
                ready=sum(ready_at(pod) is not None for pod in mine),
                restarts=sum(map(restarts_of, mine)),
                images=tuple(container["image"] for container in containers),
            )
        )
    return found


def _by_state(runtime: KubernetesRuntime) -> Mapping[str, int] | None:
    try:
        return {state: int(count) for state, count in runtime.sql(load(runtime.capstone).by_state)}
    except ClusterFailed:
        return None


def render(status: ClusterStatus) -> RenderableType:
    """A table of workloads and a line of requests for each capstone."""
    head = Text.assemble(
        ("● ready" if status.ready else "● not ready", "bold green" if status.ready else "bold red"),
        ("   namespace ", "dim"),
        status.namespace,
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("workload", "ready", "restarts", "image"):
        table.add_column(title, overflow="fold")
    for one in status.workloads:
        style = "" if one.ready >= one.wanted else "red"
        table.add_row(
            Text(one.name, style="bold"),
            Text(f"{one.ready}/{one.wanted}", style=style),
            Text(str(one.restarts), style="yellow" if one.restarts else "dim"),
            ", ".join(one.images),
        )
    requests = (Text(f"{name}: {_counted(states)}") for name, states in status.requests.items())
    return Group(head, table, *(Text(said, style="yellow") for said in status.broker), *requests)


def _counted(states: Mapping[str, int] | None) -> str:
    if states is None:
        return "the database does not answer"
    return ", ".join(f"{count} {state}" for state, count in states.items()) or "none"


def as_json(status: ClusterStatus) -> dict[str, Any]:
    """For programs: each capstone's requests by state under its name."""
    told = asdict(status)
    return {**{key: value for key, value in told.items() if key != "requests"}, **told["requests"]}
