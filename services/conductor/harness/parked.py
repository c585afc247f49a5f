"""What is parked, asked of and told to the service's own tool, as an operator would (`capstone parked …`)."""

import json
import subprocess
import sys
from typing import Any

from conductor.errors import DrillFailed
from conductor.runtime import ProcessRuntime

TOOL_SECONDS = 60.0


def parked(runtime: ProcessRuntime, application: str) -> list[dict[str, Any]]:
    """Every record that waits for a decision, oldest first."""
    return _records(runtime, application, "list")


def replay(runtime: ProcessRuntime, application: str, *ids: int) -> list[dict[str, Any]]:
    """Run these records again; those it was done for."""
    return _records(runtime, application, "replay", *map(str, ids), "--actor", "drill")


def drop(runtime: ProcessRuntime, application: str, *ids: int) -> list[dict[str, Any]]:
    """Decide that these are never run; those it was done for."""
    return _records(runtime, application, "drop", *map(str, ids), "--actor", "drill")


def _records(runtime: ProcessRuntime, application: str, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "chassis.parked", application, *arguments, "--json"],
        env=dict(runtime.service_environment()),
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise DrillFailed(f"parked {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    records: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["records"]
    return records
