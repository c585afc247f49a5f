"""Positions in PostgreSQL are those that a replay of the journal gives, whoever was killed between the engine and them."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from engine_pool import EnginePool
from fix_client import FixClient

from chassis.migrate import migrate, scripts_of
from servers import RabbitMQ, wait_until
from trading import reconcile
from trading.adapters.control_client import ask
from trading.domain.terms import Input

TOKENS = {"secret": {"session": 1, "company": "CLIENT1", "accounts": [1, 2]}}
FEES = {"MAKER_FEE_PPM": "100", "TAKER_FEE_PPM": "333", "SHARD": "3"}


class Trading:
    """A shard, a worker of the portfolio pool, and a client that trades with itself over two accounts."""

    def __init__(self, folder: Path, broker_url: str, database_url: str) -> None:
        self._environment = {
            **os.environ, "BROKER_URL": broker_url, "DATABASE_URL": database_url, "API_TOKENS": json.dumps(TOKENS), **FEES
        }  # fmt: skip
        self._folder, self._workers = folder, []
        self.engine = EnginePool(
            folder, broker_url, DATABASE_URL=database_url, API_TOKENS=json.dumps(TOKENS), PUBLISH_TIMEOUT_SECONDS="2", **FEES
        )  # fmt: skip
        self.start_portfolio()
        self.engine.until(lambda: self.engine.state == "idle")
        self.engine.open_market()
        control = self.engine.data / "control"
        [[*_, proposal]] = ask(control, Input.PROPOSE_LIMITS, 2, 1, 10**9, 10**9, 10**6, 10**12, 10**6)
        ask(control, Input.APPROVE_LIMITS, 2, 2, proposal)
        self._client = FixClient(self.engine.fix_port)
        self._client.log_on()
        self._orders = 0

    def start_portfolio(self) -> None:
        """Start one more worker of the portfolio pool."""
        with (self._folder / "portfolio.log").open("ab") as out:
            self._workers.append(
                subprocess.Popen(
                    [
                        sys.executable, "-m", "celery", "--app", "trading.app", "worker", "--queues", "trading.portfolio", "--pool", "solo",
                        "--concurrency", "1", "--hostname", f"portfolio{len(self._workers)}@test", "--without-gossip",
                        "--without-mingle", "--prefetch-multiplier", "1", "--time-limit", "20", "--soft-time-limit", "10",
                    ],
                    env=self._environment, stdout=out, stderr=out, start_new_session=True,
                )
            )  # fmt: skip

    def trade(self, count: int) -> None:
        """Buy and sell at changing prices; every order is acknowledged."""
        for _ in range(count):
            self._orders += 1
            number = self._orders
            side, price = 1 + number // 2 % 2, f"{10 + number % 7 / 100:.2f}"
            self._client.order(number, side=side, price=price, quantity=1 + number % 5, account=1 + number % 2)
        acknowledged = set()
        while len(acknowledged) < count:
            report = self._client.receive("8")
            assert report.get(150) in (b"0", b"F", b"4"), report
            acknowledged.add(report.get(11))

    def tail(self) -> psutil.Process:
        """The process that publishes the journal: of the worker's children the one that is connected to a broker, and no engine."""
        port = int(self._environment["BROKER_URL"].rpartition("@")[2].partition("/")[0].rpartition(":")[2])
        children = psutil.Process(self.engine.process.pid).children(recursive=True)
        return next(
            child
            for child in children
            if any(one.raddr and one.raddr.port == port for one in child.net_connections("tcp"))
        )

    def kill_portfolio(self) -> None:
        """SIGKILL the newest worker of the portfolio pool."""
        self._workers[-1].kill()
        self._workers[-1].wait()

    def reconciled(self) -> dict[str, object]:
        """What the comparison of database and journal says."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            for name, value in self._environment.items():
                patch.setenv(name, value)
            reconcile.main([str(self.engine.data)])
        found: dict[str, object] = json.loads(said.getvalue())
        return found

    def wait_until_applied(self) -> dict[str, object]:
        """Wait until all that the journal closed is applied; gives the comparison."""
        seen: dict[str, object] = {}

        def applied() -> bool:
            seen.update(self.reconciled())
            return seen.get("behind") == 0

        wait_until(
            applied,
            what=f"the journal applied: {seen} {(self._folder / 'portfolio.log').read_text()[-2000:]}",
            seconds=40,
        )
        return seen

    def end(self) -> None:
        """Kill all."""
        for process in (*self.engine.processes, *self._workers):
            process.kill()
            process.wait()


@pytest.fixture
def trading(tmp_path: Path, rabbitmq_url: str, database_url: str) -> Iterator[Trading]:
    migrate(database_url, scripts_of("trading.audit"))
    made: list[Trading] = []
    try:
        made.append(Trading(tmp_path, rabbitmq_url, database_url))
        yield made[0]
    finally:
        for one in made:
            one.end()


def test_positions_are_the_journals_after_kills_and_a_broker_restart(trading: Trading, rabbitmq: RabbitMQ) -> None:
    trading.trade(40)
    wait_until(lambda: _is_there(trading.tail), what="a tail that publishes", seconds=20)
    os.kill(trading.tail().pid, signal.SIGKILL)
    trading.trade(40)
    trading.kill_portfolio()
    trading.trade(40)
    trading.start_portfolio()
    rabbitmq.kill()
    trading.trade(40)  # the engine trades on while nothing is published
    behind = trading.reconciled()
    lag = trading.engine.metric("trading_tail_lag_records")
    rabbitmq.start()
    trading.trade(40)
    after = trading.wait_until_applied()

    assert behind["behind"] >= 40
    assert lag >= 40
    wait_until(lambda: trading.engine.metric("trading_tail_lag_records") == 0, what="no lag")
    assert (True, 3, 2, 0) == tuple(after[name] for name in ("same", "shard", "positions", "differences"))
    assert after["sequence"] >= 200

    trading.engine.serve()
    shown = trading.engine.call("GET", "/positions").json()
    assert [1, 2] == [one["account"] for one in shown["positions"]]
    assert 0 == sum(one["quantity"] for one in shown["positions"])
    assert shown["applied"][0]["sequence"] >= after["sequence"]
    trading.engine.process.terminate()
    assert 0 == trading.engine.process.wait(30)
    assert 0 == trading.wait_until_applied()["differences"], "what was closed last was published before the end"


def _is_there(find: Callable[[], object]) -> bool:
    try:
        return bool(find())
    except (StopIteration, psutil.Error):
        return False
