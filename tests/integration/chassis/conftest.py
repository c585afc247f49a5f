"""The sample service of shop.py as real processes over real servers."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.app import ChassisApp, make_app
from chassis.settings import ServiceSettings
from chassis.tables import metadata
from servers import Postgres, RabbitMQ, Valkey, wait_until

sys.path.insert(0, str(Path(__file__).parent))  # tests import `silence` and `span_collector` by name

PROBE = Path(__file__).parents[3] / "services/chassis/probe.py"


@dataclass
class Shop:
    """The service: its environment, and every process that was started of it."""

    folder: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def broker_url(self) -> str:
        return self.environment["BROKER_URL"]

    @property
    def database_url(self) -> str:
        return self.environment["DATABASE_URL"]

    @property
    def heartbeat_file(self) -> Path:
        return Path(self.environment["HEARTBEAT_FILE"])

    def settings(self, **values: Any) -> ServiceSettings:
        return ServiceSettings(broker_url=self.broker_url, database_url=self.database_url, **values)

    def app(self, **values: Any) -> ChassisApp:
        """The service's app as a publisher in this process sees it."""
        return make_app("shop", ("shop.till", "shop.stock"), self.settings(**values))

    def send(self, task: str, queue: str = "shop.till", **kwargs: Any) -> None:
        with self.app() as app:
            app.send_task(task, kwargs=kwargs, queue=queue)

    def start(self, *arguments: str, log: str = "log", **environment: str) -> subprocess.Popen[bytes]:
        """Start `python -m <arguments>`; ended with the test."""
        with (self.folder / log).open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**self.environment, **environment},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def worker(self, *, pool: str = "prefork", concurrency: int = 1, limits: tuple[int, int] = (20, 10),
               queues: str = "shop.till,shop.stock", ready: bool = True, extra: tuple[str, ...] = (),
               **environment: str) -> subprocess.Popen[bytes]:  # fmt: skip
        """Start a worker, and wait until it is ready for work."""
        self.heartbeat_file.unlink(missing_ok=True)
        process = self.start(
            "celery", "--app", self.environment["SHOP"], "worker", "--queues", queues, "--concurrency", str(concurrency),
            "--pool", pool, "--hostname", "shop@test", "--without-gossip", "--without-mingle", "--prefetch-multiplier", "1",
            "--time-limit", str(limits[0]), "--soft-time-limit", str(limits[1]), "--loglevel", "INFO", *extra, **environment,
        )  # fmt: skip
        if ready:
            wait_until(lambda: self.state() == "idle", what=f"an idle worker:\n{self.log()}")
        return process

    def record(self) -> dict[str, Any]:
        """The heartbeat as written last; empty before the first."""
        try:
            found: dict[str, Any] = json.loads(self.heartbeat_file.read_text())
        except FileNotFoundError:
            return {}
        return found

    def state(self) -> str:
        return str(self.record().get("state", ""))

    def probe(self, kind: str) -> tuple[int, str]:
        """Exit code and line of the probe, run as a container would run it."""
        done = subprocess.run(
            [sys.executable, "-S", "-I", str(PROBE), kind],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def acts(self) -> list[str]:
        """What the tasks did, without process ids, in order."""
        try:
            return [line.rpartition(" ")[0] for line in Path(self.environment["OUT"]).read_text().splitlines()]
        except FileNotFoundError:
            return []

    def log(self, name: str = "log") -> str:
        return (self.folder / name).read_text(errors="replace")

    def rows(self, query: str) -> list[Any]:
        with sa.create_engine(self.database_url, poolclass=sa.NullPool).begin() as conn:
            return list(conn.execute(sa.text(query)))

    def parked(self) -> list[tuple[str, str]]:
        """Reason and task of everything parked, in order."""
        return [tuple(row) for row in self.rows("SELECT reason, task FROM parked WHERE status = 'parked' ORDER BY id")]


def make_shop(folder: Path, broker_url: str, database_url: str, **environment: str) -> Shop:
    """The shop with its own ledger, heartbeat and log in `folder`."""
    variables = {
        "BROKER_URL": broker_url,
        "DATABASE_URL": database_url,
        "OUT": str(folder / "out"),
        "HEARTBEAT_FILE": str(folder / "heartbeat"),
        "PYTHONPATH": str(Path(__file__).parent),
        "POOL": "till",
        "SHOP": "shop:app",
    }
    return Shop(folder, {**os.environ, **variables, **environment})


def end(shop: Shop) -> None:
    """Kill every process that was started of it; while coverage is measured, let it end and write down what it ran first."""
    for process in shop.processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGCONT)
            if "COVERAGE_PROCESS_CONFIG" in os.environ:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def shop_on(tmp_path: Path, database_url: str) -> Iterator[Any]:
    """Makes the shop on a broker of the test's choice."""
    metadata.create_all(sa.create_engine(database_url, poolclass=sa.NullPool))
    made: list[Shop] = []

    def make(broker_url: str, folder: Path = tmp_path, **environment: str) -> Shop:
        made.append(make_shop(folder, broker_url, database_url, **environment))
        return made[-1]

    yield make
    for shop in made:
        end(shop)


@pytest.fixture(scope="module", params=["rabbitmq", "valkey"])
def shared_shop(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A shop whose worker serves all tests of a module, on each kind of broker."""
    folder = tmp_path_factory.mktemp("shop")
    name = f"shared_{request.param}_{request.module.__name__.rpartition('.')[2]}"
    if request.param == "rabbitmq":
        rabbitmq: RabbitMQ = request.getfixturevalue("rabbitmq")
        rabbitmq.api("PUT", f"vhosts/{name}")
        broker_url = rabbitmq.url(name)
    else:
        valkey: Valkey = request.getfixturevalue("valkey")
        broker_url = valkey.url(2)
    postgres.execute(f"CREATE DATABASE {name}")
    metadata.create_all(sa.create_engine(postgres.url(name), poolclass=sa.NullPool))
    shop = make_shop(folder, broker_url, postgres.url(name))
    shop.worker(concurrency=2)
    yield shop
    end(shop)


@pytest.fixture
def open_shop(shared_shop: Shop) -> Shop:
    """The shared shop with nothing parked, no acts and an empty log."""
    assert shared_shop.processes[0].poll() is None, shared_shop.log()
    with sa.create_engine(shared_shop.database_url, poolclass=sa.NullPool).begin() as conn:
        conn.execute(sa.text("TRUNCATE parked, parked_audit, outbox"))
    Path(shared_shop.environment["OUT"]).unlink(missing_ok=True)
    os.truncate(shared_shop.folder / "log", 0)  # written in append mode
    return shared_shop


@pytest.fixture
def shop(shop_on: Any, broker_url: str) -> Shop:
    """The shop, once on each kind of broker."""
    made: Shop = shop_on(broker_url)
    return made


@pytest.fixture
def rabbit_shop(shop_on: Any, rabbitmq_url: str) -> Shop:
    """The shop on RabbitMQ."""
    made: Shop = shop_on(rabbitmq_url)
    return made
