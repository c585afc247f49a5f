"""The primary PostgreSQL dies under load and a synchronous standby takes its place, behind the same address.

Two real servers with streaming replication; an address that switches, as CloudNativePG's Service does; the tally's API, relay and worker as
processes, none of which is told anything. It is this test that promotes: how long it takes until somebody does so is the operator's, and
not shown here (docs/postgresql-failover.md).
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from address_switch import AddressSwitch
from chassis.migrate import migrate
from conductor import pools
from server_fixtures import LEFT, postgres_pair
from servers import QUOTED, Postgres, RabbitMQ, die_with_parent, free_port, health, wait_until

VHOST = "failover"
TALLY = Path(__file__).resolve().parents[2] / "fixtures" / "tally"
BACK_SECONDS = 15.0
"""How long after the promotion no number may be accepted, and none be added. Seen: below 1 s."""

TOKEN = {"Authorization": "Bearer client-token"}


@dataclass
class Pair:
    """A primary and its synchronous standby."""

    primary: Postgres
    standby: Postgres

    def replicates(self) -> bool:
        """Whether every commit waits for the standby."""
        with self.primary.connection() as connection:
            return connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall() == [("sync",)]

    def fail_over(self) -> None:
        """The primary ends by SIGKILL, and the standby becomes one that waits for nobody."""
        self.primary.kill()
        self.standby.execute("SELECT pg_promote()")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Both run, and every commit of the primary waits for the standby."""
    with postgres_pair() as (primary, standby):
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        made = Pair(primary, standby)
        wait_until(made.replicates, what="a synchronous standby")
        yield made


@dataclass
class Tally:
    """Its processes, and a client that sends numbers one after the other, each until it is accepted."""

    switch: AddressSwitch
    environment: dict[str, str]
    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    accepted: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        metrics = iter([free_port(), free_port(), free_port()])
        for name, pool in pools.load(TALLY / "charts" / "tally" / "values.yaml").items():
            command = pools.command(pool, "rabbitmq", app="tally.app", hostname=f"{name}@test")
            own = {"POOL": name, "HEARTBEAT_FILE": str(self.folder / name), "METRICS_PORT": str(next(metrics))}
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    command, env={**self.environment, **own}, stdout=log, stderr=log, preexec_fn=die_with_parent
                )
        wait_until(lambda: self.ready(), what="the tally's API", seconds=60)

    def ready(self) -> bool:
        with contextlib.suppress(OSError):
            return health(self.port, "ready") == 200
        return False

    def send(self) -> None:
        """Until it is told to stop."""
        number = 0
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=TOKEN, trust_env=False, timeout=10) as api:
            while not self.over.is_set():
                key = f"k-{number}"
                with contextlib.suppress(httpx.HTTPError):
                    answer = api.post("/numbers", json={"value": 1}, headers={"Idempotency-Key": key})
                    if answer.status_code == 202:
                        self.accepted[key] = time.monotonic()
                        number += 1
                        continue
                    assert answer.status_code == 503, answer.text
                self.refused += 1
                self.over.wait(0.05)

    def end(self) -> None:
        self.over.set()
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def tally(pair: Pair, rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tally]:
    """The tally under load, over an address that leads to the primary."""
    pair.primary.execute("CREATE DATABASE tally")
    migrate(pair.primary.url("tally"), TALLY / "services" / "tally" / "adapters" / "migrations")
    rabbitmq.api("PUT", f"vhosts/{VHOST}")
    switch, port = AddressSwitch(pair.primary.port), free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(TALLY / "services"),
        "DATABASE_URL": f"postgresql+psycopg://tester:{QUOTED}@127.0.0.1:{switch.port}/tally",
        "BROKER_URL": rabbitmq.url(VHOST),
        "API_TOKENS": '{"client-token": {"client": "web"}}',
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "RELAY_LEASE_SECONDS": "3",
    }
    made = Tally(switch, environment, tmp_path_factory.mktemp("tally"), port)
    sender = threading.Thread(target=made.send, daemon=True)
    try:
        made.start()
        sender.start()
        yield made
    finally:
        made.over.set()
        sender.join()
        made.end()
        switch.close()
        LEFT.append(partial(rabbitmq.api, "DELETE", f"vhosts/{VHOST}"))


def added(server: Postgres) -> Counter[str]:
    """How often each number was added, by its key."""
    query = "SELECT key, count(l.id) FROM numbers n LEFT JOIN ledger l ON l.number = n.id GROUP BY key"
    with server.connection("tally") as connection:
        return Counter(dict(connection.execute(query).fetchall()))


def test_a_number_that_no_standby_has_is_not_accepted(pair: Pair, tally: Tally) -> None:
    wait_until(lambda: len(tally.accepted) > 10, what="numbers that are accepted")
    with pair.standby.connection() as connection:
        (receiver,) = connection.execute("SELECT pid FROM pg_stat_wal_receiver").fetchone()
    os.kill(receiver, signal.SIGSTOP)
    try:
        refused = tally.refused
        wait_until(lambda: tally.refused > refused, what="a number that is not accepted")
        accepted = len(tally.accepted)
        wait_until(lambda: tally.refused > refused + 1, what="its repetition, which is not accepted either")

        assert accepted == len(tally.accepted)
    finally:
        os.kill(receiver, signal.SIGCONT)
    wait_until(lambda: len(tally.accepted) > accepted + 10, what="numbers that are accepted again")


def test_every_accepted_number_is_added_once_by_the_standby_that_took_over(pair: Pair, tally: Tally) -> None:
    wait_until(lambda: sum(added(pair.primary).values()) > 20, what="numbers that are added")
    pair.fail_over()
    tally.switch.lead_to(pair.standby.port)
    switched = time.monotonic()

    def accepted_since() -> list[str]:
        return [key for key, at in list(tally.accepted.items()) if at > switched]

    wait_until(lambda: bool(accepted_since()), what="a number that the new primary takes", seconds=BACK_SECONDS)
    accepting = time.monotonic() - switched
    first = accepted_since()[0]
    wait_until(lambda: added(pair.standby)[first] > 0, what="its being added", seconds=BACK_SECONDS)
    adding = time.monotonic() - switched
    sys.stdout.write(f"a number was accepted {accepting:.1f} s after the switch, and added after {adding:.1f} s\n")
    tally.over.set()
    wait_until(lambda: all(added(pair.standby).values()), what="every number to be added")

    found = added(pair.standby)
    assert set(tally.accepted) <= found.keys()
    assert {1} == set(found.values())
