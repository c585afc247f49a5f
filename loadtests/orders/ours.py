"""Our side: the pools that `make up` starts, over RabbitMQ or Valkey and PostgreSQL with fsync; only the outside answers at once."""

import signal
import time
import uuid

import psutil
import sqlalchemy as sa

from conductor.laptop import start
from conductor.laptop.platform import Platform, pool_of
from conductor.laptop.supervisor import DEAD_STATES
from loadtests.orders.purchases import purchases
from orders.adapters.intake_store import PostgresIntakeStore
from orders.usecases.intake import Caller, Intake, Limits

STAGES = ("relay", "saga", "payments", "fulfilment", "notifications", "beat")


class Ours:
    """The pools of a running platform, awake or at rest."""

    name = "ours"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.engine = sa.create_engine(platform.service_environment()["DATABASE_URL"])

    def wake(self) -> None:
        """Start the pools and wait until they are ready."""
        resting = [p.name for p in self._platform.supervisor.processes() if pool_of(p.name) and p.state in DEAD_STATES]
        for name in resting:
            self._platform.supervisor.start_again(name)
        start.await_pools(self._platform, resting, within_seconds=120)

    def rest(self) -> None:
        """End the pools, so that they take nothing from the other side."""
        names = [p.name for p in self._platform.supervisor.processes() if pool_of(p.name)]
        for name in names:
            self._platform.supervisor.begin_stop(name)
        self._platform.supervisor.wait_stopped(*names, within_seconds=90)

    def accept(self, count: int, seed: int, customer: str) -> float:
        """Accept orders by the use case of the API, one after the other, while the relay is held; the seconds it took."""
        self._relay().send_signal(signal.SIGSTOP)
        # The limits are those of the door; a bench is let in whole.
        intake = Intake(PostgresIntakeStore(self.engine), Limits(open_commands=count + 1))
        began = time.monotonic()
        for wanted in purchases(count, seed, customer):
            intake.place(Caller(None), str(uuid.uuid4()), wanted)
        return time.monotonic() - began

    def go(self) -> float:
        """Let the relay publish its first message; when, in unix seconds."""
        began = time.time()
        self._relay().send_signal(signal.SIGCONT)
        return began

    def finish(self) -> None:
        """Nothing is left over."""

    def pids(self) -> dict[str, list[int]]:
        """The processes of each stage."""
        found: dict[str, list[int]] = {stage: [] for stage in STAGES}
        for process in self._platform.supervisor.processes():
            if (pool := pool_of(process.name)) in found and process.pid:
                found[str(pool)].append(process.pid)
        return found

    def _relay(self) -> psutil.Process:
        return psutil.Process(self.pids()["relay"][0])
