"""kubectl, helm and docker as the conductor calls them: in one namespace, with an error that holds what they said.

Which cluster is kubectl's own business: KUBECONFIG and its current context.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conductor.errors import ClusterFailed
from conductor.run_directory import CHECKOUT

NAMESPACE = "capstones"
END_SECONDS = 30.0
"""How long a program may take to end when this one is interrupted."""

TOOLS = CHECKOUT / ".tools"
"""Where tools lie that this checkout brought itself; those on the PATH come first."""


def tool(name: str) -> str:
    """The path of a program. Raises ClusterFailed when there is none."""
    found = shutil.which(name) or shutil.which(name, path=str(TOOLS))
    if found is None:
        raise ClusterFailed(f"{name} is not installed, neither on the PATH nor in {TOOLS}")
    return found


def run(
    argv: Sequence[str],
    *,
    given: str | None = None,
    shown: bool = False,
    environment: Mapping[str, str] | None = None,
    within_seconds: float | None = None,
) -> str:
    """What the program printed; with `shown` it prints to the terminal and nothing comes back.

    Raises ClusterFailed, also when it did not end in time; without `within_seconds` it is waited for.
    """
    kept = None if shown else subprocess.PIPE
    process = subprocess.Popen(
        [tool(argv[0]), *argv[1:]],
        stdin=None if given is None else subprocess.PIPE,
        stdout=kept,
        stderr=kept,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    with process:
        try:
            printed, said = process.communicate(given, within_seconds)
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise ClusterFailed(f"{' '.join(argv[:4])} … did not end within {within_seconds:g} s") from error
        except BaseException:
            _end(process)
            raise
    if process.returncode:
        # Helm 4 tells of every chart that is linked to, before what it failed of.
        told = [line for line in (said or "").splitlines() if not line.startswith("level=INFO")]
        said = "\n".join(told).strip()[-2000:] or "see above"
        raise ClusterFailed(f"{' '.join(argv[:4])} … ended with {process.returncode}: {said}")
    return printed or ""


def _end(process: "subprocess.Popen[str]") -> None:
    """Have a program end. A helm that is killed bars its release to every later one; told to end, it writes down that it failed."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One namespace of the cluster that kubectl speaks to; with `within_seconds` a call that takes longer is ClusterFailed."""

    namespace: str = NAMESPACE
    within_seconds: float | None = None

    def __call__(self, *arguments: str, given: str | None = None, shown: bool = False, waits_seconds: float = 0) -> str:
        """Run `kubectl ARGUMENTS` in the namespace, which by its arguments waits so long at most; what it printed."""
        within = None if self.within_seconds is None else self.within_seconds + waits_seconds
        argv = ["kubectl", "--namespace", self.namespace, *arguments]
        return run(argv, given=given, shown=shown, within_seconds=within)

    def secret(self, name: str) -> dict[str, str] | None:
        """A Secret's values, or None when there is none."""
        found = self("get", "secret", name, "--ignore-not-found", "--output", "json")
        if not found:
            return None
        data: Mapping[str, str] = json.loads(found).get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """The pods that carry these labels, as Kubernetes describes them."""
        found: list[dict[str, Any]] = json.loads(self("get", "pods", "--selector", selector, "--output", "json"))[
            "items"
        ]
        return found

    def workloads(self, selector: str, kinds: Sequence[str] = ("statefulset", "deployment")) -> list[str]:
        """`KIND/NAME` of what runs pods and carries these labels."""
        return [
            name for kind in kinds for name in self("get", kind, "--selector", selector, "--output", "name").split()
        ]

    def await_rolled_out(self, *workloads: str, within_seconds: int) -> None:
        """Return when each has the pods that it should have, new and ready. ClusterFailed names the first that has not in time."""
        for name in workloads:
            self("rollout", "status", name, f"--timeout={within_seconds}s", waits_seconds=within_seconds)

    def create(self, *objects: Mapping[str, Any]) -> None:
        """Make objects that are not there; ClusterFailed when one is."""
        self("create", "--filename", "-", given=_list(objects))

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Make objects, or make them what they should be, as the owner of the fields that are given."""
        self(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=capstone",
            "--filename",
            "-",
            given=_list(objects),
        )


def _list(objects: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
