"""What runs in pods, as the grader knows what runs in a box: a worker of its own Deployment, and a program in a pod that is there already.

`kubectl` follows each below a guard, so that none of it outlives the grader.
"""

import contextlib
import os
import secrets
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conductor.cluster.kubectl import Kubectl, tool
from conductor.errors import ClusterFailed
from conductor.waiting import until
from grader.adapters import guarded
from grader.errors import Unable

START_SECONDS = 120
"""For the container of a worker to run: a cluster without room for it is no fault of the learner's."""

LOOK_SECONDS = 0.1

FIRST = ".status.containerStatuses[0]"
COLUMNS = f"custom-columns=PHASE:.status.phase,NOW:{FIRST}.state.terminated.exitCode,BEFORE:{FIRST}.lastState.terminated.exitCode"

RUN = """
import os, sys
with open(sys.argv[1], "w") as file:
    file.write(str(os.getpid()))
os.chdir(sys.argv[2])
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Writes down which process it is, and turns into the program: a kubectl that is ended leaves it running. It leads a session already."""

KILL = """
import os, signal, sys
try:
    os.killpg(int(open(sys.argv[1]).read()), signal.SIGKILL)
except OSError:
    pass
"""


END = """
import os, signal
open("/tmp/gone", "w").close()
os.kill(-1, signal.SIGKILL)
"""
"""Kills everything in a pod but its first process, at once: a pod that is deleted, also by force, is told to stop before it is killed."""


NO_WAIT = "--pod-running-timeout=1s"
"""The least that `kubectl exec` takes."""


class Worker:
    """A Deployment of one pod, whose container runs or has run. Raises Unable when it does not come to that.

    `signal(SIGTERM)` takes the pod away, as a roll does; `end` is as if its machine were gone.
    """

    def __init__(self, kubectl: Kubectl, release: str, output: Path) -> None:
        self._kubectl, self.output = kubectl, output
        self._deployment = f"deployment/{release}-code"
        self._selector = f"app.kubernetes.io/instance={release}"
        self._states = output.with_name(f"{release}.states")
        watched = ("get", "pods", "--selector", self._selector, "--watch", "--no-headers", "--output", COLUMNS)
        self._watch = _followed(kubectl, self._states, *watched)
        pods = ("--follow", f"--pod-running-timeout={START_SECONDS}s")
        self._logs = _followed(kubectl, output, "logs", self._deployment, *pods)
        self._gone = False
        if not until(self._ran, within_seconds=START_SECONDS, every_seconds=LOOK_SECONDS):
            why = pending(kubectl, self._selector) or [f"{self._deployment} has no pod"]
            self.end()
            raise Unable(f"after {START_SECONDS:g} s {'; '.join(why)}")

    @property
    def pid(self) -> int:
        """There is none on this machine."""
        raise Unable("a worker in a cluster has no process on this machine")

    def poll(self) -> int | None:
        """The exit status of its container, also of one that Kubernetes has started again; None while the first one runs."""
        if self._watch.poll() is not None and not self._gone:
            raise Unable(f"kubectl follows {self._deployment} no more: {self._states.read_text()[-300:].strip()}")
        return next((int(word) for word in self._words() if word.isdigit()), None)

    def _ran(self) -> bool:
        """Whether its container has been started, however it fared."""
        self.poll()
        return "Running" in self._words()

    def _words(self) -> list[str]:
        return self._states.read_text().split() if self._states.exists() else []

    def wait(self, seconds: float) -> int | None:
        """The exit status, waited for; None when it still runs."""
        until(lambda: self.poll() is not None, within_seconds=seconds, every_seconds=LOOK_SECONDS)
        return self.poll()

    def signal(self, number: signal.Signals) -> None:
        """Have Kubernetes tell it to stop; Unable for any other signal."""
        if number is not signal.SIGTERM:
            raise Unable(f"{number.name} cannot be sent to a worker in a cluster")
        self._kubectl("scale", self._deployment, "--replicas=0")

    def processes(self) -> list[int]:
        """There are none on this machine."""
        raise Unable("a worker in a cluster has no processes on this machine")

    def end(self) -> None:
        """Take it away without waiting for anything that it does."""
        if self._gone:
            return
        self._gone = True
        with contextlib.suppress(ClusterFailed):
            # By default a minute for a pod to come, which is no more once it was told to stop.
            self._kubectl("exec", NO_WAIT, self._deployment, "--", "python", "-I", "-S", "-c", END)
        with contextlib.suppress(ClusterFailed):
            self._kubectl("scale", self._deployment, "--replicas=0")
            self._kubectl("delete", "pods", "--selector", self._selector, "--grace-period=0", "--force")
        self._logs.end()
        self._watch.end()


class Program:
    """A program in the pod `pod`."""

    def __init__(
        self,
        kubectl: Kubectl,
        pod: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        directory: str,
        output: Path,
    ) -> None:
        self._kubectl, self._pod, self.output = kubectl, pod, output
        self._file = f"/tmp/program-{secrets.token_hex(6)}"
        given = [f"{name}={value}" for name, value in environment.items()]
        runs = ["python", "-I", "-S", "-c", RUN, self._file, directory]
        self._process = _followed(kubectl, output, "exec", pod, "--", "env", *given, *runs, *argv)

    @property
    def pid(self) -> int:
        """There is none on this machine."""
        raise Unable("a program in a cluster has no process on this machine")

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """The exit status, waited for; None when it still runs."""
        return self._process.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        """Not here."""
        raise Unable(f"{number.name} cannot be sent to a program in a cluster")

    def processes(self) -> list[int]:
        """There are none on this machine."""
        raise Unable("a program in a cluster has no processes on this machine")

    def end(self) -> None:
        """Kill it, with all that it started in its session."""
        if self.poll() is None:
            with contextlib.suppress(ClusterFailed):
                self._kubectl("exec", self._pod, "--", "python", "-I", "-S", "-c", KILL, self._file)
        self._process.end()


def pending(kubectl: Kubectl, selector: str = "") -> list[str]:
    """The pods that wait for a place or for their container, each with what Kubernetes says of it."""
    return [
        f"the pod {pod['metadata']['name']} is Pending: {_why(pod['status'])}"
        for pod in kubectl.pods(selector)
        if pod["status"]["phase"] == "Pending"
    ]


def _why(status: Mapping[str, Any]) -> str:
    states = [one.get("state", {}).get("waiting", {}) for one in status.get("containerStatuses", [])]
    unmet = [one for one in status.get("conditions", []) if one["status"] == "False"]
    said = [f"{one.get('reason', '')} {one.get('message', '')}".strip() for one in [*states, *unmet]]
    return next(filter(None, said), "no reason given")[:300]


def _followed(kubectl: Kubectl, output: Path, *arguments: str) -> guarded.Guarded:
    argv = [tool("kubectl"), "--namespace", kubectl.namespace, *arguments]
    return guarded.start(argv, directory=output.parent, environment=os.environ, output=output)
