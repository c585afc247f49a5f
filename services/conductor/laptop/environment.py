"""The environment of a service's processes: every setting is given here, none is inherited from a terminal."""

from collections.abc import Mapping
from pathlib import Path

from conductor.capstone import Capstone
from conductor.laptop.outside import shared_secrets
from conductor.laptop.state import State
from conductor.pools import Pool
from conductor.run_directory import RunDirectory


def service(
    run: RunDirectory, state: State, capstone: Capstone, base: Mapping[str, str], *, broker: str, store: str
) -> dict[str, str]:
    """What every process of the service shares; `broker` and `store` are URLs."""
    ports, passwords = state.ports, state.passwords
    database = f"postgresql+psycopg://orders:{passwords.postgres}@127.0.0.1:{ports['postgres']}/orders"
    return {
        **base,
        "DATABASE_URL": database,
        "BROKER_URL": broker,
        "STORE_URL": store,
        **capstone.environment(ports),
        **shared_secrets(capstone, state),
        "API_TOKENS_FILE": str(run.tokens),
        "LOG_FORMAT": "json",
        **state.settings,
    }


def process(run: RunDirectory, state: State, pool: Pool, name: str, *, code: Path | None) -> dict[str, str]:
    """What is one process's own, on top of the service's; `code` is another checkout to run."""
    own = {"POOL": pool.name, "HEARTBEAT_FILE": str(run.heartbeats / name)}
    if pool.role == "api":
        # Old and new share the port while the pool is rolled.
        own |= {"HOST": "127.0.0.1", "PORT": str(state.ports["api"]), "SHARE_PORT": "true"}
    if code is not None:
        # Ahead of the editable install's path, which comes from a .pth file.
        own |= {"PYTHONPATH": str(code / "services")}
    return own
