"""The rival's side: its workers and its producer over the same broker and the same PostgreSQL server, in a database of its own."""

import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psycopg
import sqlalchemy as sa
from psycopg import sql

from chassis.migrate import migrate, scripts_of
from conductor.capstones.orders import catalogue
from conductor.laptop.platform import Platform
from conductor.laptop.programs import Program
from conductor.laptop.servers import postgres, valkey
from conductor.run_directory import CHECKOUT
from conductor.waiting import until
from loadtests.orders.outcome import Stuck
from loadtests.orders.purchases import purchases
from orders.adapters.intake_store import PostgresIntakeStore
from orders.domain import saga
from orders.domain.order import Order, Product, price
from orders.ports import Event
from orders.usecases.intake import Placing

APP = "loadtests.orders.naive.app"
DATABASE = "naive"
WORKER, RESULTS = "naive-worker", "naive-results"
MIGRATIONS = scripts_of("orders.app")


class Rival:
    """As many worker processes as our pools have, in one worker, as the documentation starts it."""

    name = "naive"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._processes = sum(pool.concurrency or 0 for pool in platform.pools.values())
        self._results_port = _free_port()
        results = f"redis://127.0.0.1:{self._results_port}/0"
        self._environment = {
            **platform.base_environment,
            "NAIVE_DATABASE_URL": self._make_database(),
            # Where there is no RabbitMQ the documentation's choice is one Redis for both, with its default configuration.
            "NAIVE_BROKER_URL": results if platform.state.broker == "valkey" else platform.broker_url,
            "NAIVE_RESULTS_URL": results,
        }
        self.engine = sa.create_engine(self._environment["NAIVE_DATABASE_URL"])
        self._fill_catalogue()
        self._producer: subprocess.Popen[str] | None = None
        self._accepted: list[str] = []
        self._programs = self._described()

    def wake(self) -> None:
        """Start what does not run, and wait until the worker is ready."""
        log = self._platform.run.log(WORKER)
        ready = _times_ready(log)
        self._platform.supervisor.add(*self._programs)
        if not until(lambda: _times_ready(log) > ready, within_seconds=60):
            raise Stuck(f"the rival's worker does not get ready; see {log}")

    def rest(self) -> None:
        """End the worker, so that it takes nothing from the other side."""
        self._platform.supervisor.begin_stop(WORKER)
        self._platform.supervisor.wait_stopped(WORKER, within_seconds=90)

    def accept(self, count: int, seed: int, customer: str) -> float:
        """Write orders down as a web view would, one transaction each; the seconds it took."""
        began = time.monotonic()
        self._accepted = [self._accept_one(wanted) for wanted in purchases(count, seed, customer)]
        took = time.monotonic() - began
        self._producer = subprocess.Popen(
            [sys.executable, "-m", "loadtests.orders.naive.flow"],
            cwd=CHECKOUT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._producer.stdout is not None
        self._producer.stdout.readline()
        return took

    def go(self) -> float:
        """Let the producer send its first canvas; when, in unix seconds."""
        assert self._producer is not None
        assert self._producer.stdin is not None
        began = time.time()
        self._producer.stdin.write("".join(f"{order_id}\n" for order_id in self._accepted))
        self._producer.stdin.flush()
        return began

    def finish(self) -> None:
        """End the producer, which has nothing left to send."""
        if self._producer is not None:
            # Celery's result objects complain on their way out of an interpreter that ends by itself.
            self._producer.kill()
            self._producer.communicate()
            self._producer = None

    def pids(self) -> dict[str, list[int]]:
        """The processes of each stage."""
        found = {
            p.name: [p.pid] for p in self._platform.supervisor.processes() if p.name in (WORKER, RESULTS) and p.pid
        }
        return {"producer": [self._producer.pid] if self._producer else [], **found}

    def _accept_one(self, wanted: Placing) -> str:
        order_id = str(uuid.uuid4())
        with PostgresIntakeStore(self.engine).begin() as tx:
            lines, total_minor, currency = price(wanted.lines, tx.catalogue([line.sku for line in wanted.lines]))
            order = Order(order_id, wanted.customer, wanted.card, currency, total_minor, lines, saga.begin().saga)
            tx.add(order, 900.0)
            tx.note([Event(order_id, "placed", {"state": "pending"})])
        return order_id

    def _make_database(self) -> str:
        state, owner = self._platform.state, sql.Identifier(self._platform.postgres.database)
        with psycopg.connect(
            host="127.0.0.1",
            port=state.ports["postgres"],
            user=postgres.ADMIN,
            password=state.passwords.postgres_admin,
            dbname="postgres",
            autocommit=True,
        ) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), owner))
        url = self._platform.service_environment()["DATABASE_URL"].rpartition("/")[0] + f"/{DATABASE}"
        migrate(url, MIGRATIONS)
        return url

    def _fill_catalogue(self) -> None:
        with PostgresIntakeStore(self.engine).begin() as tx:
            for product in catalogue.PRODUCTS:
                tx.put_product(Product(product.sku, product.name, product.price_minor, "EUR"))
                tx.restock(product.sku, catalogue.OPENING_STOCK, None)

    def _described(self) -> list[Program]:
        folder = self._platform.run.data / RESULTS
        folder.mkdir(mode=0o700, exist_ok=True)
        worker = [sys.executable, "-m", "celery", "--app", APP, "worker", "--loglevel=INFO"]
        return [
            Program(
                RESULTS,
                "server",
                [str(valkey.binary()), "--bind", "127.0.0.1", "--port", str(self._results_port), "--dir", str(folder)],
                self._environment,
            ),
            Program(
                WORKER, "server", [*worker, f"--concurrency={self._processes}"], self._environment, stop_seconds=60
            ),
        ]


def _times_ready(log: Path) -> int:
    return log.read_text(errors="replace").count(" ready.") if log.exists() else 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
