"""The releases of one capstone in one namespace, by helm and kubectl; see conductor.cluster.blue_green for what is asked of them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from conductor.capstone import application
from conductor.cluster import helm
from conductor.cluster.blue_green import Installed, Values
from conductor.cluster.kubectl import NAMESPACE, Kubectl, run
from conductor.cluster.names import Names
from conductor.errors import ClusterFailed
from conductor.waiting import until

LOOK_SECONDS = 0.5
TOLD_SECONDS = 20
"""How long workers are spoken to at a time; then those that are there are looked up anew."""

Pod = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterReleases:
    """`within_seconds` is the patience with each step."""

    namespace: str = NAMESPACE
    within_seconds: int = 300
    _: KW_ONLY
    capstone: str

    @property
    def own(self) -> Names:
        """See Releases."""
        return Names(self.capstone)

    @property
    def kubectl(self) -> Kubectl:
        """The cluster, in this namespace."""
        return Kubectl(self.namespace)

    def installed(self, release: str) -> Installed | None:
        """See Releases."""
        # Named one by one, since Helm 3 and 4 do not agree on what is listed by itself.
        found = ("--deployed", "--failed", "--pending", "--filter", f"^{release}$", "--output", "json")
        known = json.loads(run(["helm", "list", "--namespace", self.namespace, *found]))
        if not known:
            return None
        return Installed(helm.values_of(self.namespace, release), known[0]["status"] == "deployed")

    def install(self, release: str, values: Values, *, migrate: bool, within_seconds: int | None = None) -> None:
        """See Releases."""
        argv = [
            "helm",
            "upgrade",
            "--install",
            release,
            str(self.own.chart),
            "--namespace",
            self.namespace,
            "--reset-values",
        ]
        argv += ["--values", "-", "--wait", "--timeout", f"{within_seconds or self.within_seconds}s"]
        run([*argv, *(() if migrate else ("--no-hooks",))], given=json.dumps(values))

    def remove(self, release: str) -> None:
        """See Releases."""
        run(["helm", "uninstall", release, "--namespace", self.namespace, "--wait"])

    def await_ready(self, release: str) -> None:
        """See Releases."""
        found = self.kubectl.workloads(f"app.kubernetes.io/instance={release}")
        self.kubectl.await_rolled_out(*found, within_seconds=self.within_seconds)

    def pods(self, release: str, *, component: str | None = None) -> list[dict[str, Any]]:
        """The pods of a release, or of one pool of it."""
        selector = f"app.kubernetes.io/instance={release}"
        return self.kubectl.pods(selector + (f",app.kubernetes.io/component={component}" if component else ""))

    def resume(self, release: str) -> None:
        """See Releases."""
        self._control(release, "resume")

    def stand_by(self, release: str) -> None:
        """See Releases."""
        self._control(release, "stand_by")

    def await_no_beat(self, release: str) -> None:
        """See Releases."""
        self.await_gone(release, lambda pod: role_of(pod) == "beat")

    def await_gone(self, release: str, which: Callable[[Pod], bool]) -> None:
        """Return when no pod of the release is such a one, not even one on its way out."""
        left: list[str] = []

        def none_left() -> bool:
            left[:] = [name_of(pod) for pod in self.pods(release) if which(pod)]
            return not left

        self._await(none_left, lambda: f"the end of {', '.join(left)}")

    def await_api(self, release: str) -> None:
        """See Releases."""
        seen: list[str] = []

        def leads_there() -> bool:
            mine = {pod["status"].get("podIP") for pod in self.pods(release) if role_of(pod) == "api"}
            seen[:] = self._api_endpoints()
            return bool(seen) and mine.issuperset(seen)

        self._await(
            leads_there,
            lambda: f"the Service {self.own.api_service} to lead to {release} alone, not to {seen or 'nobody'}",
        )

    def _api_endpoints(self) -> list[str]:
        selector = f"kubernetes.io/service-name={self.own.api_service}"
        slices = json.loads(self.kubectl("get", "endpointslices", "--selector", selector, "--output", "json"))["items"]
        ends = [end for one in slices for end in one.get("endpoints") or () if end["conditions"].get("ready")]
        return sorted({address for end in ends for address in end["addresses"]})

    def _control(self, release: str, command: str) -> None:
        """Tell every worker of the release, from inside one of them, until all that are there have done it."""
        why = ""

        def done() -> bool:
            nonlocal why
            there = [pod for pod in self.pods(release) if role_of(pod) == "worker" and alive(pod)]
            if not there:
                why = "there is no worker"
                return False
            workers = [f"{pod['metadata']['labels']['app.kubernetes.io/component']}@{name_of(pod)}" for pod in there]
            program = (
                "python",
                "-m",
                "chassis.worker_control",
                application(self.capstone),
                command,
                *workers,
                "--within",
                str(TOLD_SECONDS),
            )
            try:
                self.kubectl("exec", name_of(there[0]), "--", *program)
            except ClusterFailed as error:
                why = str(error)
                return False
            # One that started meanwhile has heard nothing.
            after = {name_of(pod) for pod in self.pods(release) if role_of(pod) == "worker" and alive(pod)}
            return after <= {name_of(pod) for pod in there}

        self._await(done, lambda: f"every worker of {release} to {command.replace('_', ' ')}: {why}")

    def _await(self, holds: Callable[[], bool], what: Callable[[], str]) -> None:
        if not until(holds, within_seconds=self.within_seconds, every_seconds=LOOK_SECONDS):
            raise ClusterFailed(f"waited {self.within_seconds} s in vain for {what()}")


def name_of(pod: Pod) -> str:
    """A pod's name."""
    return str(pod["metadata"]["name"])


def role_of(pod: Pod) -> str:
    """What a pool's pod is: its one container is named so."""
    return str(pod["spec"]["containers"][0]["name"])


def alive(pod: Pod) -> bool:
    """Whether it runs and is not on its way out."""
    return pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def restarts_of(pod: Pod) -> int:
    """How often its containers were restarted."""
    return sum(int(one["restartCount"]) for one in pod["status"].get("containerStatuses", ()))


def runs_in(pod: Pod) -> str | None:
    """The container that runs in the pod now, by its id; None while none does."""
    found = [one for one in pod["status"].get("containerStatuses", ()) if "running" in one["state"]]
    return str(found[0]["containerID"]) if found else None
