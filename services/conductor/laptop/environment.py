"""The environment of a service's processes: every setting is given here, none is inherited from a terminal."""

import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from conductor.capstone import Capstone
from conductor.laptop.outside import shared_secrets
from conductor.laptop.state import State, callers
from conductor.pools import Pool
from conductor.run_directory import CHECKOUT, RunDirectory, home

PYTHON_PATH = "PYTHONPATH"


def service(
    state: State,
    capstone: Capstone,
    base: Mapping[str, str],
    *,
    database: str,
    broker: str,
    store: str,
    own_stores: Mapping[str, str],
) -> dict[str, str]:
    """What every process of the service shares; `database`, `broker` and `store` are URLs, `own_stores` URLs by variable."""
    return {
        **base,
        "DATABASE_URL": database.replace("postgresql://", "postgresql+psycopg://", 1),
        "BROKER_URL": broker,
        "STORE_URL": store,
        **own_stores,
        **capstone.environment(state.ports_of(capstone.name)),
        **shared_secrets(capstone, state),
        **code_of(capstone.name),
        "API_TOKENS": callers(state.logins[capstone.name].tokens, capstone.callers),
        "LOG_FORMAT": "json",
        **({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{state.ports['traces']}"} if state.observe else {}),
        **state.settings,
    }


def folder(run: RunDirectory, capstone: str, pool: Pool, replica: int) -> Path:
    """What a process of a StatefulSet keeps, by its place in the pool: the same one for every generation."""
    return run.data / capstone / f"{pool.name}-{replica}"


def process(
    run: RunDirectory, capstone: str, api_port: int, pool: Pool, name: str, replica: int, *, code: Path | None
) -> dict[str, str]:
    """What is one process's own, on top of the service's; `code` is another checkout to run."""
    own = {
        "POOL": pool.name,
        "PROCESS_NAME": name,
        "SERVICE_VERSION": version(code or CHECKOUT),
        "HEARTBEAT_FILE": str(run.heartbeats / name),
    }
    if pool.kind == "StatefulSet":
        own |= {"DATA_DIR": str(folder(run, capstone, pool, replica))}
    if pool.role == "api":
        # Old and new share the port while the pool is rolled.
        own |= {"HOST": "127.0.0.1", "PORT": str(api_port), "SHARE_PORT": "true"}
    if code is not None:
        # Ahead of the editable install's path, which comes from a .pth file.
        own |= {PYTHON_PATH: str(code / "services")}
    return own


@cache
def version(code: Path) -> str:
    """The commit of a checkout; `unknown` where that cannot be told."""
    asked = ["git", "-C", str(code), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def code_of(capstone: str) -> dict[str, str]:
    """What makes the services importable where the capstone does not lie in the checkout, whose own are installed."""
    root = home(capstone)
    return {} if root == CHECKOUT else {PYTHON_PATH: str(root / "services")}


def layered(*layers: Mapping[str, str]) -> dict[str, str]:
    """These variables together. A later layer wins; of PYTHONPATH it comes before what the earlier ones name."""
    paths = [layer[PYTHON_PATH] for layer in reversed(layers) if PYTHON_PATH in layer]
    together = {name: value for layer in layers for name, value in layer.items()}
    return {**together, **({PYTHON_PATH: os.pathsep.join(paths)} if paths else {})}
