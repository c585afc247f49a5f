"""Runs the analytics' own command line tools (`python -m analytics.recount`, `python -m analytics.erase`) where their settings are."""

import getpass
import subprocess
import sys
from collections.abc import Sequence

from conductor import access
from conductor.capstones.analytics import NAME
from conductor.cluster.kubectl import tool
from conductor.errors import Refused

DEPLOYMENTS = {"recount": "reports", "erase": "reports"}
"""In a cluster a tool runs in a pod of this pool: its image has what reads the archive, and it mounts the archive."""


def run(name: str, arguments: Sequence[str], *, runtime: str | None, namespace: str) -> int:
    """Run a tool with this terminal's output. Returns its exit status. Raises NotRunning, Refused, ClusterFailed."""
    if access.chosen(runtime, namespace) == "kubernetes":
        pod = f"deployment/{NAME}-{DEPLOYMENTS[name]}"
        inside = ["exec", pod, "--", "python", "-m", f"{NAME}.{name}", *arguments]
        return subprocess.run([tool("kubectl"), "--namespace", namespace, *inside], check=False).returncode
    from conductor.laptop.runtime import LocalRuntime

    environment = LocalRuntime.running(capstone=NAME).service_environment()
    if name == "recount" and not environment.get("ARCHIVE_URL"):
        raise Refused(
            f"{NAME} keeps no archive: start it with --set ARCHIVE_URL=file:///…, see services/analytics/README.md"
        )
    return subprocess.run([sys.executable, "-m", f"{NAME}.{name}", *arguments], env=environment, check=False).returncode


def whoever() -> str:
    """The name of who sits here, for a receipt."""
    return getpass.getuser()
