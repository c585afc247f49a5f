"""What a start costs each pool of the laptop, by its own command line, until its probe says ready; `pytest -s` prints the numbers.

CPU is counted, not time, and compared with what Python needs beside it to import Celery and SQLAlchemy: processes that share a core make
both dearer. The least ratio of a few starts counts.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from chassis.migrate import migrate, scripts_of
from conductor import pools
from conductor.laptop import probes
from conductor.laptop.probes import Answer
from conductor.pools import Pool
from conductor.run_directory import values
from servers import Postgres, RabbitMQ, Valkey, die_with_parent, free_port, wait_until

MOST = 2.25
"""A start against the imports alone; on two quiet cores the imports take about 0.5 s of CPU."""

STARTS = 6
IMPORTS = "import celery.bin.worker, celery.apps.worker, kombu.transport.pyamqp, sqlalchemy"


@pytest.fixture(scope="module")
def servers(postgres: Postgres, rabbitmq: RabbitMQ, valkey: Valkey) -> Iterator[dict[str, str]]:
    """The environment of a pool over a migrated database and an empty broker."""
    name = "cold_start"
    rabbitmq.api("PUT", f"vhosts/{name}")
    postgres.execute(f"CREATE DATABASE {name}")
    migrate(postgres.url(name), scripts_of("orders.app"))
    addresses = {"DATABASE_URL": postgres.url(name), "BROKER_URL": rabbitmq.url(name), "STORE_URL": valkey.url(1)}
    yield {**os.environ, **addresses, "LOG_FORMAT": "json"}
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def cpu_seconds(process: psutil.Process) -> float:
    """What it has used so far, with its children, ended ones included."""
    return float(sum(sum(one.cpu_times()[:4]) for one in [process, *process.children(recursive=True)]))


def start(pool: Pool, environment: dict[str, str], folder: Path) -> float:
    """CPU seconds from exec to ready of one process of the pool."""
    beats = folder / "heartbeat"
    beats.unlink(missing_ok=True)
    own = {"POOL": pool.name, "PORT": str(free_port()), "HEARTBEAT_FILE": str(beats)}
    told = {**environment, **own}
    command = pools.command(
        pool, "rabbitmq", app="orders.app", hostname=f"{pool.name}@cold", schedule=folder / "schedule"
    )
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=told, stdout=log, stderr=log, preexec_fn=die_with_parent)
    try:
        wait_until(lambda: works(beats), what=f"{pool.name} to work", seconds=60, poll_seconds=0.01)
        if pool.role == "api":
            assert Answer(True, f"http://127.0.0.1:{own['PORT']}/health/ready: 200") == probes.ask(
                "ready", pool.role, told
            )
        return cpu_seconds(psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def works(beats: Path) -> bool:
    """Whether it says of itself that it is started; read, not probed, so that a look costs nothing."""
    return beats.exists() and json.loads(beats.read_text())["state"] == "idle"


def imports() -> float:
    """CPU seconds of a Python that imports what every pool has to."""
    before = os.times()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.mark.parametrize("pool", pools.load(values("orders")).values(), ids=lambda pool: pool.name)
def test_a_pool_is_ready_for_little_more_cpu_than_its_imports(
    pool: Pool, servers: dict[str, str], tmp_path: Path
) -> None:
    spent: list[tuple[float, float]] = []
    while len(spent) < STARTS and min((whole / part for whole, part in spent), default=MOST) >= MOST:
        spent.append((start(pool, servers, tmp_path), imports()))

    told = ", ".join(f"{whole:.2f} ({part:.2f})" for whole, part in spent)
    sys.stdout.write(f"\ncold start of {pool.name}: {told} s of CPU until ready (of the imports alone)\n")
    assert min(whole / part for whole, part in spent) < MOST, told
