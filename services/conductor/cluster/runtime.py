"""A cluster as drills see it: releases of the chart, pods, and the servers beside them, by kubectl and helm."""

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import yaml
from pydantic.alias_generators import to_camel

from conductor import pools
from conductor.capstone import application
from conductor.cluster import blue_green, canary_rollout, helm, images, version_upgrade
from conductor.cluster.blue_green import Colour, Tell
from conductor.cluster.canary_rollout import Outcome, Trial
from conductor.cluster.installation import PLATFORM
from conductor.cluster.kubectl import NAMESPACE, Kubectl, run
from conductor.cluster.names import Names
from conductor.cluster.nodes import Power
from conductor.cluster.releases import ClusterReleases, name_of, restarts_of
from conductor.errors import ClusterFailed, Refused
from conductor.pools import Broker, Pool

ROLLED_SECONDS = 300
TOOL_ROLES = ("relay", "beat", "worker", "api")
POWER = Power()
SERVERS = {"rabbitmq": "rabbitmq", "valkey": "redis", "postgres": "postgres"}
"""StatefulSets, by what the drills call them."""

KILL_CHILD = """
import contextlib, glob, os, signal, sys
children = open("/proc/1/task/1/children").read().split()
if sys.argv[1:]:
    with open("/proc/net/tcp") as table:
        lines = [line.split() for line in table]
    mine = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(":" + sys.argv[1])}
    def has(child):
        for file in glob.glob(f"/proc/{child}/fd/*"):
            with contextlib.suppress(OSError):
                if os.readlink(file) in mine:
                    return True
    children = filter(has, children)
for child in list(children)[:1]:
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(child), signal.SIGKILL)
"""
"""Run in a pod, by the standard library alone: kills the child of its first process that has a connection from the TCP port of the first
argument (four hexadecimal digits), or the first child when there is none."""


def ready_at(pod: Mapping[str, Any]) -> str | None:
    """Since when a pod is ready, as Kubernetes writes times, which sort; None for one that is not."""
    conditions = pod["status"].get("conditions", ())
    since = [one["lastTransitionTime"] for one in conditions if one["type"] == "Ready" and one["status"] == "True"]
    return since[0] if since else None


@dataclass(frozen=True, slots=True)
class KubernetesRuntime:
    """One capstone of the installation in one namespace; `tag` is the one that its images have.

    `next_tag` is a newer version's, which a deploy brings; without one a deploy changes a checksum, and every pod rolls all the same.
    `bad_tag` is one of a version whose workers never get ready, `faulty_tag` one whose payments fail now and then.
    """

    namespace: str = NAMESPACE
    tag: str = "dev"
    next_tag: str | None = None
    bad_tag: str | None = None
    broker: Broker = "rabbitmq"
    faulty_tag: str | None = None
    power: Power = POWER
    _: KW_ONLY
    capstone: str

    @property
    def own(self) -> Names:
        """The names that the capstone has here."""
        return Names(self.capstone)

    @property
    def kubectl(self) -> Kubectl:
        """The cluster, in this namespace."""
        return Kubectl(self.namespace)

    def image(self, service: str) -> str:
        """An image of the installation."""
        return images.name(service, self.tag)

    def pools(self) -> Mapping[str, Pool]:
        """The pools by name."""
        return pools.load(self.own.chart / "values.yaml")

    def deploy(
        self, *settings: str, values: Mapping[str, object] | None = None, within_seconds: int = ROLLED_SECONDS
    ) -> None:
        """Change these `key=value`, texts all, of what is installed, or tell it these `values`; returns when every pod is new and ready."""
        helm.upgrade(self.namespace, self.own, *settings, values=values, within_seconds=within_seconds)

    def roll_out(self, tag: str, tell: Callable[[str], None], *, back: bool = False) -> None:
        """Bring every pool to another version, the workers before who only sends them work; on the way `back` after them."""
        version_upgrade.roll_out(self.namespace, self.own, tag, tell, back=back, within_seconds=ROLLED_SECONDS)

    def values(self) -> dict[str, Any]:
        """What the release was told."""
        return helm.values_of(self.namespace, self.own.release)

    @contextlib.contextmanager
    def configured(self, settings: Mapping[str, str]) -> Iterator[None]:
        """Every pod has these environment variables in the block, and what it had before after it. No pod is replaced that has them."""
        before = self.values()
        own = before.get("settings") or {}
        told = {to_camel(name.lower()): yaml.safe_load(value) for name, value in settings.items()}
        if all(own.get(name) == value for name, value in told.items()):
            yield
            return
        self.deploy(values={**before, "settings": {**own, **told}})
        try:
            yield
        finally:
            self.deploy(values=before)

    def switch(self, to: Colour, tag: str | None, tell: Tell, *, alone: bool = False) -> None:
        """Have this colour do the work; see conductor.cluster.blue_green."""
        blue_green.switch(ClusterReleases(self.namespace, capstone=self.capstone), to, tag, tell, alone=alone)

    def canary(self, trial: Trial, tell: Tell) -> Outcome:
        """Try a version on a share of a pool; see conductor.cluster.canary_rollout."""
        return canary_rollout.hold(ClusterReleases(self.namespace, capstone=self.capstone), trial, tell)

    def parked(self, *arguments: str) -> list[dict[str, Any]]:
        """Records of what is parked, asked of and told to the capstone's own tool, as a person would."""
        program = ("python", "-m", "chassis.parked", application(self.capstone), *arguments, "--json")
        said = self.kubectl("exec", self._tools(), "--", *program)
        records: list[dict[str, Any]] = json.loads(said.splitlines()[-1])["records"]
        return records

    def run_parked(self, *arguments: str) -> None:
        """Run the command line for parked messages where the service runs; it prints to this terminal."""
        program = ("python", "-m", "chassis.parked", application(self.capstone), *arguments)
        self.kubectl("exec", self._tools(), "--", *program, shown=True)

    def _tools(self) -> str:
        """The Deployment whose pods the capstone's own tools are run in: one that few requests depend on."""
        found = min(self.pools().values(), key=lambda pool: TOOL_ROLES.index(pool.role))
        return self.workload(found.name)

    def workload(self, pool: str) -> str:
        """`KIND/NAME` of what runs a pool's pods. Refused when there is no such pool."""
        known = self.pools()
        if pool not in known:
            raise Refused(f'there is no pool "{pool}"; there are {", ".join(known)}')
        return f"{known[pool].kind.lower()}/{self.own.release}-{pool}"

    def kill(self, pool: str, *, child: bool) -> str:
        """End the oldest pod of a pool at once, or one child of its worker; the pod's name. Refused when there is none."""
        pods = self.pods(pool)
        if not pods:
            raise Refused(f"{pool} has no pod to kill")
        name = name_of(pods[0])
        if child:
            self.kill_child(name)
        else:
            self.kill_pod(name)
        return name

    def revision(self) -> int:
        """Of the release, as helm counts them."""
        history = json.loads(
            run(["helm", "history", self.own.release, "--namespace", self.namespace, "--output", "json"])
        )
        return int(history[-1]["revision"])

    def rollback(self, revision: int, *, within_seconds: int = ROLLED_SECONDS) -> None:
        """Back to an earlier revision of the release."""
        where = ("--namespace", self.namespace)
        run(["helm", "rollback", self.own.release, str(revision), *where, "--wait", "--timeout", f"{within_seconds}s"])

    def pods(self, pool: str) -> list[dict[str, Any]]:
        """The pods of a pool that are not on their way out, oldest first. Refused when there is no such pool."""
        if pool not in self.pools():
            raise Refused(f'there is no pool "{pool}"; there are {", ".join(self.pools())}')
        selector = f"app.kubernetes.io/instance={self.own.release},app.kubernetes.io/component={pool}"
        alive = [pod for pod in self.kubectl.pods(selector) if "deletionTimestamp" not in pod["metadata"]]
        return sorted(alive, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def restarts(self) -> dict[str, int]:
        """How often the containers of each pod were restarted, by pod."""
        return {
            name_of(pod): restarts_of(pod)
            for pod in self.kubectl.pods(f"app.kubernetes.io/instance={self.own.release}")
        }

    def inside(self, workload: str, *argv: str, given: str | None = None) -> str:
        """What a program prints in a pod of `deployment/…` or `statefulset/…`."""
        return self.kubectl("exec", "--stdin", workload, "--", *argv, given=given)

    def sql(self, statement: str) -> list[list[str]]:
        """Run a statement as the database's owner; its rows, as text."""
        psql = ["psql", "--quiet", "--no-psqlrc", "--csv", "--tuples-only"]
        psql += ["--set", "ON_ERROR_STOP=1", "--username", "postgres"]
        said = self.inside("statefulset/postgres", *psql, self.own.database, given=statement)
        return list(csv.reader(said.splitlines()))

    def kill_pod(self, name: str) -> None:
        """End a pod as a node's power cut would: at once, with all of its processes."""
        self.kubectl("delete", "pod", name, "--grace-period=0", "--force", "--wait=false")

    def evict(self, name: str) -> None:
        """Ask for a pod's eviction; it ends within its grace. Raises ClusterFailed where a budget forbids it."""
        wanted = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        where = f"/api/v1/namespaces/{self.namespace}/pods/{name}/eviction"
        self.kubectl("create", "--raw", where, "--filename", "-", given=json.dumps(wanted))

    def kill_child(self, name: str, port: int | None = None) -> None:
        """End one child of a pod's worker by SIGKILL: the one with a connection from this TCP port, or the first that there is.

        A child that is gone by now is as good as killed.
        """
        argv = ("python", "-S", "-c", KILL_CHILD, *([] if port is None else [f"{port:04X}"]))
        self.kubectl("exec", name, "--", *argv)

    def scale(self, pool: str, replicas: int) -> None:
        """As many pods of a pool; returns when they are ready."""
        workload = self.workload(pool)
        self.kubectl("scale", workload, f"--replicas={replicas}")
        self.kubectl.await_rolled_out(workload, within_seconds=ROLLED_SECONDS)

    @contextlib.contextmanager
    def at_least(self, replicas: int, *pools: str) -> Iterator[None]:
        """So many ready pods of each pool in the block, and as many as before after it."""
        before = {pool: self._replicas(pool) for pool in pools}
        try:
            for pool, count in before.items():
                self.scale(pool, max(replicas, count))
            yield
        finally:
            for pool, count in before.items():
                self.scale(pool, count)

    def _replicas(self, pool: str) -> int:
        """How many pods a pool should have."""
        return int(self.kubectl("get", self.workload(pool), "--output", "jsonpath={.spec.replicas}"))

    def restart(self, pool: str) -> None:
        """Replace every pod of a pool, each when its successor is ready; returns when they are."""
        workload = self.workload(pool)
        self.kubectl("rollout", "restart", workload)
        self.kubectl.await_rolled_out(workload, within_seconds=ROLLED_SECONDS)

    def wait_ready(self, *pools: str) -> None:
        """Return when these pools, or all, have the ready pods they should. Raises ClusterFailed: which has not, and who has no node."""
        workloads = [self.workload(pool) for pool in pools or self.pools()]
        try:
            self.kubectl.await_rolled_out(*workloads, within_seconds=ROLLED_SECONDS)
        except ClusterFailed as error:
            homeless = self.homeless()
            raise ClusterFailed(f"{error}; {'; '.join(homeless)}" if homeless else str(error)) from error

    def homeless(self) -> list[str]:
        """The pods that no node takes, and why, in the scheduler's words."""
        return [
            f"{pod['metadata']['name']}: {one.get('message')}"
            for pod in self.kubectl.pods(f"app.kubernetes.io/instance={self.own.release}")
            for one in pod["status"].get("conditions", ())
            if one["type"] == "PodScheduled" and one["status"] == "False"
        ]

    def wait_stored(self) -> None:
        """Return when every server that stores something is ready."""
        stores = self.kubectl.workloads(PLATFORM, ("statefulset",))
        self.kubectl.await_rolled_out(*stores, within_seconds=ROLLED_SECONDS)

    def restart_server(self, name: str, *, hard: bool) -> None:
        """Replace a server's first pod, at once when `hard`; returns when it is ready again."""
        if name not in SERVERS:
            raise Refused(f'there is no server "{name}"; there are {", ".join(SERVERS)}')
        pod = f"{SERVERS[name]}-0"
        self.kubectl("delete", "pod", pod, *(("--grace-period=0", "--force") if hard else ()), "--wait=true")
        self.kubectl.await_rolled_out(f"statefulset/{SERVERS[name]}", within_seconds=ROLLED_SECONDS)
