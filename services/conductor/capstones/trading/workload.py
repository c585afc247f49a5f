"""The trading load for a drill: see conductor.capstone.Workload."""

import contextlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from conductor.capstone import Patience, Size, Workload
from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.drawn_orders import of_a_storm, of_the_load
from conductor.capstones.trading.fix import FixClient
from conductor.capstones.trading.progress import TradingProgress
from conductor.capstones.trading.promises import Acknowledged, Intent
from conductor.capstones.trading.trader import COMPANY, SESSION, Trader
from conductor.errors import DrillFailed
from conductor.harness.load import insist
from conductor.history import Journal, now
from conductor.runtime import Reach
from conductor.waiting import until

LOADED = 10
"""Orders without an answer, so that an engine that is hit is in the middle of some."""

WINDOW, HURRIED_WINDOW = 20, 500

FLOOD_WINDOW = 40_000
"""More than the ring between gateway and engine takes."""

ACCEPTED = "accepted"

ANSWERED_SECONDS = 60.0
"""Within which all orders of the load are answered when no new one is sent."""

PER_SECOND, SMALL_PER_SECOND = 500.0, 100.0
"""Orders a second while nothing waits for load."""


class TradingWorkload:
    """Orders of one client by FIX."""

    def __init__(self, access: Reach, journal: Journal, size: Size, patience: Patience) -> None:
        self._access, self._journal, self._size = access, journal, size
        self._hurry, self._stop = threading.Event(), threading.Event()
        self._window: int | None = None
        self.scope = f"load-{secrets.token_hex(4)}"
        address = urlsplit(access.addresses()["fix"])
        self.trader = Trader(
            partial(FixClient, address.hostname or "", address.port or 0, COMPANY, access.tokens()["customer"]),
            journal,
            scope=self.scope,
            seed=size.seed,
            wanted=lambda: not self._stop.is_set() or self.trader.accepted < size.requests,
            window=self._room,
            per_second=self._per_second,
        )
        self.progress = TradingProgress(access, self.scope, self.trader)

    @property
    def accepted(self) -> int:
        return self.trader.accepted

    @property
    def repeats(self) -> int:
        return self.trader.repeats

    @property
    def gave_up(self) -> int:
        return self.trader.in_flight if not self.trader.is_alive() else 0

    @property
    def abrupt(self) -> int:
        return self.trader.reconnects.total()

    def start(self) -> None:
        self.trader.start()

    def loaded(self) -> int | None:
        there = self.trader.in_flight
        return there if there >= LOADED else None

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        self._hurry.set()
        try:
            yield
        finally:
            self._hurry.clear()

    @contextlib.contextmanager
    def flooding(self, window: int) -> Iterator[None]:
        """Orders come as fast as they can be sent during the block, until so many are without an answer."""
        with self.hurried(), self._only(window):
            yield

    def paused(self) -> AbstractContextManager[None]:
        """No new order is sent during the block."""
        return self._only(0)

    @contextlib.contextmanager
    def _only(self, window: int) -> Iterator[None]:
        before, self._window = self._window, window
        try:
            yield
        finally:
            self._window = before

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No order of the load is sent or without an answer during the block. DrillFailed when they are not answered."""
        with self.paused():
            if not until(self.trader.is_idle, within_seconds=ANSWERED_SECONDS):
                raise DrillFailed(f"{self.trader.in_flight} orders were not answered in {ANSWERED_SECONDS:g} s")
            yield

    def _room(self) -> int:
        """How many orders may be without an answer."""
        if self._window is not None:
            return self._window
        return HURRIED_WINDOW if self._hurry.is_set() else WINDOW

    @contextlib.contextmanager
    def storm(self) -> Iterator[None]:
        """Every second order is one of an account that is at a limit, during the block."""
        self.trader.draw = of_a_storm
        try:
            yield
        finally:
            self.trader.draw = of_the_load

    def finish(self, within_seconds: float) -> bool:
        self._stop.set()
        with self.hurried():
            self.trader.join(within_seconds)
        in_time = not self.trader.is_alive()
        self.trader.abandoned.set()
        self.trader.join()
        return in_time

    def asked_again(self) -> Counter[str]:
        return self.trader.reconnects.copy()

    def submit(self, name: str) -> str:
        """One order by REST, which rests far from the others, and is the only one then: ids of a session rise over both ways."""
        with self.alone(), TradingApi.of(self._access) as api:
            client_id = time.time_ns() // 1000
            order = far_order(client_id)
            self._journal.write(Intent(now(), self.scope, SESSION, client_id, 1, "AAPL", 1, "99.00", 1))
            told = insist(partial(api.place, order))
        if told["state"] != "open":
            # A used id is answered as well, with what became of the order; one that is below the highest and was never sent is closed.
            raise DrillFailed(f"order {client_id} should rest in the book, and is told to be {told['state']}: {told}")
        self._journal.write(Acknowledged(now(), SESSION, client_id, int(told["order_id"])))
        return str(client_id)

    def repeat(self, count: int) -> None:
        """Ask for orders again that were answered long ago; each is known."""
        client_id = self.submit("repeated")
        with TradingApi.of(self._access) as api:
            for _ in range(count):
                told = insist(partial(api.status, int(client_id)))
                if told["state"] == "not_taken":
                    raise DrillFailed(f"order {client_id} was acknowledged, and is told to be {told['state']}")

    def _per_second(self) -> float | None:
        if self._hurry.is_set() and not self._size.steady:
            return None
        rate = self._size.per_second or (PER_SECOND if self._size.large else SMALL_PER_SECOND)
        # As many of the load as without a storm.
        return 2 * rate if self.trader.draw is of_a_storm else rate


def far_order(client_id: int) -> dict[str, Any]:
    """An order as the API takes it, which rests far from those of the load."""
    return {"client_id": client_id, "account": 1, "symbol": "AAPL", "side": "buy", "price": "99.00", "quantity": 1}


def away_seconds(workload: Workload) -> Sequence[float]:
    """How long no order was taken, each time that the connection of such a load ended."""
    assert isinstance(workload, TradingWorkload)
    return tuple(workload.trader.away_seconds)


def answered_at(workload: Workload) -> float:
    """When such a load was told last that an order was taken."""
    assert isinstance(workload, TradingWorkload)
    return workload.trader.taken_at


def counts(workload: Workload) -> Mapping[str, int]:
    """What such a load was told by now: `accepted`, and how many orders were refused, for good by rule, and for now by reason."""
    assert isinstance(workload, TradingWorkload)
    refusing: Counter[str] = Counter()
    for why, count in workload.asked_again().items():
        reason = why.partition(":")[0]
        # All else is what became of a connection.
        if reason.isupper():
            refusing[reason] += count
    return {ACCEPTED: workload.accepted, **workload.trader.refusals.copy(), **refusing}


WAYS: Mapping[str, Callable[[Any], AbstractContextManager[None]]] = {
    "hurried": lambda workload: workload.hurried(),
    "flooding": lambda workload: workload.flooding(FLOOD_WINDOW),
    "storm": lambda workload: workload.storm(),
}
"""See conductor.capabilities.SteersLoad."""
