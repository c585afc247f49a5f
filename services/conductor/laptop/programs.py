"""A process to supervise, and the two files that say so: what the launcher execs and what the supervisor knows."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from conductor.laptop.state import write_private
from conductor.laptop.unprivileged import USER
from conductor.run_directory import CHECKOUT, RunDirectory

Kind = Literal["server", "outside", "pool", "keeper"]
LAUNCHER = Path(__file__).with_name("launcher.py")

LOG_BYTES = 10_000_000
STARTS_TRIED = 50
"""Quick deaths in a row before the supervisor gives up; each waits one second more than the last."""


@dataclass(frozen=True, slots=True)
class Program:
    """`name` is unique; `argv` absolute or on the environment's PATH; `stop_seconds` from `stop_signal` to SIGKILL."""

    name: str
    kind: Kind
    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: Path = CHECKOUT
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    unprivileged: bool = False
    restart: Literal["true", "unexpected", "false"] = "true"


SECTION = """\
[program:{name}]
command = "%(ENV_CAPSTONE_PYTHON)s" -S "%(ENV_CAPSTONE_LAUNCHER)s" "launches/{name}.json"
autostart = false
autorestart = {restart}
exitcodes = 0
startsecs = 1
startretries = {retries}
stopsignal = {signal}
stopwaitsecs = {seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = logs/{name}.log
stdout_logfile_maxbytes = {log_bytes}
stdout_logfile_backups = 1
"""


def write(program: Program, run: RunDirectory) -> None:
    """Write both files; the supervisor sees them when it reads its configuration again."""
    uid, gid = USER if program.unprivileged else (None, None)
    launch = {
        "argv": list(program.argv),
        "environment": dict(program.environment),
        "directory": str(program.directory),
        "starts": str(run.starts / program.name),
        "heartbeat": str(run.heartbeats / program.name),
        "uid": uid,
        "gid": gid,
    }
    write_private(run.launches / f"{program.name}.json", json.dumps(launch, indent=2))
    section = SECTION.format(
        name=program.name,
        restart=program.restart,
        retries=STARTS_TRIED,
        signal=program.stop_signal,
        seconds=program.stop_seconds,
        log_bytes=LOG_BYTES,
    )
    if (found := target(program)) is not None:
        run.targets.mkdir(mode=0o700, exist_ok=True)
        write_private(run.targets / f"{program.name}.json", found)
    write_private(run.programs / f"{program.name}.conf", section)


def target(program: Program) -> str | None:
    """The file by which Prometheus finds a program's metrics; None for one that shows none."""
    port = program.environment.get("METRICS_PORT")
    if port is None:
        return None
    labels = {"capstone": program.name.partition(".")[0], "pool": program.environment["POOL"]}
    return json.dumps([{"targets": [f"127.0.0.1:{port}"], "labels": labels}])


def forget(name: str, run: RunDirectory) -> None:
    """Remove what `write` wrote and what its process left: heartbeat, counts and count of starts. Its log stays."""
    for path in (
        run.launches / f"{name}.json",
        run.programs / f"{name}.conf",
        run.starts / name,
        run.heartbeats / name,
        run.targets / f"{name}.json",
    ):
        path.unlink(missing_ok=True)
    shutil.rmtree(run.metrics / name, ignore_errors=True)


def forget_all(run: RunDirectory) -> None:
    """Remove what the programs of an earlier start left, whatever their generation: no supervisor runs. Their logs stay."""
    for folder in (run.launches, run.programs, run.starts, run.heartbeats, run.targets):
        for path in folder.glob("*"):
            path.unlink()
    shutil.rmtree(run.metrics, ignore_errors=True)


def environment_of(name: str, run: RunDirectory) -> dict[str, str]:
    """The environment that a supervised process was started with."""
    launch = json.loads((run.launches / f"{name}.json").read_text())
    return dict(launch["environment"])


def starts(name: str, run: RunDirectory) -> int:
    """How often the process was started since it was written; 0 when never."""
    try:
        return (run.starts / name).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def launcher_environment() -> dict[str, str]:
    """What the supervisor needs in its own environment to start programs; paths of any shape are safe there."""
    return {"CAPSTONE_PYTHON": sys.executable, "CAPSTONE_LAUNCHER": str(LAUNCHER)}
