"""The rival's side: a server with Redis' default configuration, a worker of naive/app.py, and its client."""

import contextlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from celery import Celery
from celery.exceptions import TimeoutError as NoResult

from conductor.laptop.servers import valkey
from loadtests.analytics.servers import free_port, launched, wait
from loadtests.trading.naive.market import open_market
from loadtests.trading.orders import ACCOUNTS, LIMITS, REFERENCE, SYMBOLS, Record
from trading.domain.terms import Input, TimeInForce

APP = "loadtests.trading.naive.app"
PREFORK = 8
"""Processes of the worker. By default it has one a core, and then two orders in flight wait for each other on two cores."""
STUCK_SECONDS = 5.0
"""An order in flight that has no result after so long waits for a process that waits for it."""

Fill = tuple[int, int, int, int]
"""Client id of the arriving order, of the resting one, price, quantity."""


class Rival:
    """A worker that idles while others are measured. One client."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        address = f"redis://127.0.0.1:{self._port}"
        self._environment = {**os.environ, "NAIVE_BROKER_URL": f"{address}/0", "NAIVE_STORE_URL": f"{address}/1"}
        self._server, self._worker = contextlib.ExitStack(), contextlib.ExitStack()
        self.store = redis.Redis.from_url(f"{address}/1", decode_responses=True)
        self._client = Celery("naive-client", broker=f"{address}/0", backend=f"{address}/0")

    def start(self) -> None:
        """Return when the worker is ready."""
        server = [str(valkey.binary()), "--bind", "127.0.0.1", "--port", str(self._port), "--dir", str(self._folder)]
        launched(self._server, server, self._environment, None, self._folder / "redis.log")
        wait(self._answers, "the rival's Redis")
        self._start_worker()

    def stop(self) -> None:
        """End worker and server, a worker that waits for itself too."""
        self._client.close()
        self.store.close()
        self._worker.close()
        self._server.close()

    def forget(self) -> None:
        """An open market with an empty book, and no positions and no audit."""
        self.store.flushdb()
        open_market(self.store, range(1, SYMBOLS + 1), range(1, ACCOUNTS + 1), REFERENCE, LIMITS)

    def one_in_flight(self, records: list[Record]) -> list[float]:
        """Microseconds from sending an order to having its result, each."""
        taken = []
        for record in records:
            began = time.perf_counter()
            self._send(record).get(timeout=STUCK_SECONDS)
            taken.append((time.perf_counter() - began) * 1e6)
        return taken

    def pings(self, count: int) -> list[float]:
        """Microseconds of PINGs to its server over one connection, each: what a broker of this kind costs at least."""
        taken = []
        for _ in range(count):
            began = time.perf_counter()
            self.store.ping()
            taken.append((time.perf_counter() - began) * 1e6)
        return taken

    def in_flight(self, records: list[Record], width: int) -> float:
        """Orders a second with so many in flight; 0 when they come to wait for each other, and then the worker is a new one."""
        self.forget()
        flying: deque[Any] = deque()
        began = time.perf_counter()
        try:
            for record in records:
                if len(flying) == width:
                    flying[0].get(timeout=STUCK_SECONDS)
                    flying.popleft()
                flying.append(self._send(record))
            for result in flying:
                result.get(timeout=STUCK_SECONDS)
            return len(records) / (time.perf_counter() - began)
        except NoResult:
            # While the server is there: results that still wait complain when they end later.
            for result in flying:
                result.forget()
        self._worker.close()
        with redis.Redis(port=self._port) as broker:
            broker.flushall()
        self._start_worker()
        return 0.0

    def fills(self) -> list[Fill]:
        """Every trade of the audit, in order."""
        entries = [json.loads(entry) for entry in self.store.lrange("audit", 0, -1)]
        return [
            (fill["taker"], fill["maker"], fill["price"], fill["quantity"])
            for entry in entries
            for fill in entry["fills"]
        ]

    def _send(self, record: Record) -> Any:
        name, argument = task(record)
        return self._client.send_task(f"{APP}.{name}", [argument])

    def _start_worker(self) -> None:
        command = [sys.executable, "-m", "celery", "--app", APP, "worker", f"--concurrency={PREFORK}"]
        log = self._folder / "worker.log"
        log.unlink(missing_ok=True)
        launched(self._worker, command, self._environment, None, log)
        wait(lambda: "] ready" in log.read_text(errors="replace"), "the rival's worker")

    def _answers(self) -> bool:
        try:
            return bool(self.store.ping())
        except redis.RedisError:
            return False


def task(record: Record) -> tuple[str, Any]:
    """The task that an input is, and its argument."""
    if record[0] == Input.CANCEL:
        return "cancel_order", {"id": record[2], "account": record[1], "target": record[3]}
    _, _, client_id, account, symbol, side, _, time_in_force, price, _, quantity = record
    order = {"id": client_id, "account": account, "symbol": symbol, "side": side, "price": price}
    return "place_order", order | {"quantity": quantity, "immediate": time_in_force == TimeInForce.IOC}


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Rival]:
    """A rival that is gone afterwards."""
    rival = Rival(folder)
    try:
        rival.start()
        yield rival
    finally:
        rival.stop()
