"""What the pods of an installation take while requests keep coming, and whether what they asked for fits: the table of k8s/README.md.

CPU and memory are what the metrics server says (`kubectl top`), the working set, which is what the kernel kills for. A pod that is replaced
during the soak counts with its pool.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conductor.cluster.kubectl import Kubectl
from conductor.errors import ClusterFailed, DrillFailed
from conductor.run_directory import CHECKOUT

README = CHECKOUT / "k8s" / "README.md"
BEGIN, END = "<!-- capstone soak writes from here -->", "<!-- to here -->"
ROOM = 1.5
"""A memory limit is at least so many times what was ever used: growth shows in a graph before it shows in a kill."""

EVERY_SECONDS = 10.0
PLATFORM_FIRST = ("rabbitmq", "postgres", "redis")
_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "K": 10**3, "M": 10**6, "G": 10**9}


@dataclass
class Taken:
    """What one kind of pod asks for (`cpu_milli`, `memory`), may use at most, and used at its peak; memory in bytes."""

    asked_milli: int
    asked_memory: int
    limit_memory: int
    peak_milli: int = 0
    peak_memory: int = 0

    @property
    def fits(self) -> bool:
        """Whether the limit leaves room."""
        return self.limit_memory >= ROOM * self.peak_memory


@dataclass
class Soak:
    """Peaks by kind of pod, and of all together."""

    taken: dict[str, Taken] = field(default_factory=dict)
    all_milli: int = 0
    all_memory: int = 0
    samples: int = 0

    def look(self, kubectl: Kubectl) -> None:
        """Take in what the pods use now; nothing while the metrics server has no answer."""
        pods = {pod["metadata"]["name"]: pod for pod in kubectl.pods("app.kubernetes.io/part-of=celery-capstones")}
        try:
            said = kubectl("top", "pods", "--no-headers")
        except ClusterFailed:
            return
        used = {name: use for name, use in top(said).items() if name in pods and kind_of(pods[name])}
        for name, (milli, memory) in used.items():
            kind = kind_of(pods[name])
            taken = self.taken.setdefault(kind, asked(pods[name]))
            taken.peak_milli, taken.peak_memory = max(taken.peak_milli, milli), max(taken.peak_memory, memory)
        self.all_milli = max(self.all_milli, sum(milli for milli, _ in used.values()))
        self.all_memory = max(self.all_memory, sum(memory for _, memory in used.values()))
        self.samples += bool(used)

    def judge(self) -> None:
        """DrillFailed names what has no room, or that nothing was seen."""
        if not self.samples:
            raise DrillFailed("kubectl top never answered: is there a metrics server?")
        tight = {kind: taken for kind, taken in self.taken.items() if not taken.fits}
        told = ", ".join(
            f"{kind} used {mebi(one.peak_memory)} of {mebi(one.limit_memory)}" for kind, one in tight.items()
        )
        if tight:
            raise DrillFailed(f"a limit of memory is less than {ROOM:g} times the peak: {told}")

    def table(self) -> str:
        """In Markdown."""
        lines = [
            "| pod | asks for CPU | asks for memory | may use | peak CPU | peak memory |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        ordered = sorted(self.taken, key=lambda kind: (kind not in PLATFORM_FIRST, " " in kind, kind))
        for kind in ordered:
            one = self.taken[kind]
            amounts = (f"{one.asked_milli}m", mebi(one.asked_memory), mebi(one.limit_memory))
            lines.append(f"| {kind} | {' | '.join(amounts)} | {one.peak_milli}m | {mebi(one.peak_memory)} |")
        cores = sum(one.asked_milli for one in self.taken.values()) / 1000
        asked_memory = sum(one.asked_memory for one in self.taken.values()) / 2**30
        peak = f"**{self.all_milli / 1000:.2f} cores** | **{self.all_memory / 2**30:.1f} GiB**"
        lines.append(f"| **all, at once** | **{cores:.2f} cores** | **{asked_memory:.1f} GiB** | | {peak} |")
        return "\n".join(lines)


def kind_of(pod: Mapping[str, Any]) -> str:
    """Which pods are alike: a server by its name, a pool by the release's and its own. Nothing for Jobs, which come and go."""
    labels = pod["metadata"]["labels"]
    if any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", ())):
        return ""
    release = labels.get("app.kubernetes.io/instance")
    return f"{release} {labels['app.kubernetes.io/component']}" if release else str(labels["app.kubernetes.io/name"])


def asked(pod: Mapping[str, Any]) -> Taken:
    """What its containers ask for and may use."""
    containers = [one["resources"] for one in pod["spec"]["containers"]]
    return Taken(
        sum(milli_of(one["requests"]["cpu"]) for one in containers),
        sum(bytes_of(one["requests"]["memory"]) for one in containers),
        sum(bytes_of(one["limits"]["memory"]) for one in containers),
    )


def top(said: str) -> dict[str, tuple[int, int]]:
    """Millicores and bytes by pod, from `kubectl top pods --no-headers`."""
    rows: Iterable[list[str]] = (line.split() for line in said.splitlines())
    return {name: (milli_of(cpu), bytes_of(memory)) for name, cpu, memory in rows}


def milli_of(quantity: str) -> int:
    """Thousandths of a core."""
    return int(quantity[:-1]) if quantity.endswith("m") else round(float(quantity) * 1000)


def bytes_of(quantity: str) -> int:
    """Bytes, from a quantity with or without a unit."""
    found = re.fullmatch(r"(\d+)([A-Za-z]*)", quantity)
    if found is None or found[2] not in _UNITS:
        raise ClusterFailed(f"not an amount of memory: {quantity!r}")
    return int(found[1]) * _UNITS[found[2]]


def mebi(amount: int) -> str:
    """As a person reads it."""
    return f"{round(amount / 2**20)}Mi"


def killed_for_memory(kubectl: Kubectl) -> list[str]:
    """The pods of which a container's last end was the kernel's."""
    found = json.loads(kubectl("get", "pods", "--output", "json"))["items"]
    return [
        pod["metadata"]["name"]
        for pod in found
        for one in pod["status"].get("containerStatuses", ())
        if one.get("lastState", {}).get("terminated", {}).get("reason") == "OOMKilled"
    ]


def written(table: str, readme: Path = README) -> None:
    """Put the table into the README, where the last one was."""
    text = readme.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
