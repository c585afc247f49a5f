"""Places orders in a cluster and does to them what makes them different: declined, retried, their worker killed, cancelled, restored.

What became of an order is asked of the database, because a request to the API would make a trace of its own.
"""

import contextlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, LiteralString

import pytest

from conductor.capstones.orders import catalogue, cluster_reconciliation, purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.cluster import restore
from conductor.cluster.access import ClusterAccess
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import ApiRefused
from conductor.harness import dependency_faults
from conductor.harness.load import insist
from conductor.harness.outbox_state import Database
from conductor.waiting import until

PLACED_AT_A_TIME = 8
PLACED_SECONDS = 60.0
LOOK_SECONDS = 0.3
ENDED_SECONDS = 600.0
RETRIES = 5
PER_RETRIED_SECONDS = 40.0
"""Four fail at a time, and each takes about 75 s until its label was refused five times, on two cores with nothing else to do."""
SLOW = {"rate": {"slow": 1.0}, "slow_seconds": 3.0}
"""A call that lasts so long is found by a look and a kill."""
SEEN = {"rate": {"slow": 1.0}, "slow_seconds": 1.0}
"""A second attempt that lasts so long is seen."""
FAILING, OTHERS = 4, 12
"""How many orders fail at a time, and how many others keep the carrier's circuit closed meanwhile: it opens after five failures in a row,
whosever they are, and those that are due together are tried in a row."""
IN_FLIGHT = 32
"""Orders that are placed together: two children make eight calls at a time each, and have begun with as many again."""

UP_TO_THE_LABEL = {f"orders.{step}" for step in ("reserve_stock", "take_payment", "ask_payment", "buy_label")}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command without an outcome: how often it was started, and how often it is to be tried again."""

    order_id: str
    task: str
    attempts: int
    failures: int


@dataclass
class Shop:
    """The orders of one installation, by what was done to them."""

    runtime: KubernetesRuntime
    reach: ClusterAccess
    database: Database
    tell: Callable[[str], None]
    kinds: dict[str, list[str]] = field(default_factory=dict)
    kills: int = 0
    """How often processes were ended in the middle of their work."""

    def place(self, count: int, card: str = "tok_ok") -> list[str]:
        """So many orders; their ids."""
        bearer = self.reach.tokens()["operator"]
        address = self.reach.addresses()["api"]

        def one(_: int) -> str:
            key = f"told-{secrets.token_hex(8)}"
            body = purchases.purchase(key, sku="CD", quantity=1, card=card).body
            with OrdersApi(address, bearer) as api:
                return str(insist(partial(api.place, key, body), PLACED_SECONDS)["order_id"])

        with ThreadPoolExecutor(PLACED_AT_A_TIME) as threads:
            return list(threads.map(one, range(count)))

    def waiting(self, orders: Collection[str], task: str = "") -> list[Waiting]:
        """The open commands of these orders."""
        rows = self._rows(
            "SELECT body->>'order', task, attempts, failures FROM outbox WHERE state = 'open' AND body ? 'order'"
        )
        wanted = set(orders)
        found = [Waiting(row[0], row[1], int(row[2]), int(row[3])) for row in rows if row[0] in wanted]
        return [one for one in found if task in ("", one.task)]

    def states(self, orders: Collection[str]) -> dict[str, str]:
        """The state of each of these orders that the database has."""
        rows = {row[0]: row[1] for row in self._rows("SELECT id::text, state FROM orders")}
        return {one: rows[one] for one in orders if one in rows}

    def end(self, orders: Collection[str], *states: str) -> None:
        """Wait until each is in one of these states, and nothing is left to be done for it."""
        told: list[Any] = []

        def ended() -> bool:
            found = self.states(orders)
            told[:] = [(one, found.get(one)) for one in orders if found.get(one) not in states]
            told.extend(self.waiting(orders))
            return not told

        if not until(ended, within_seconds=ENDED_SECONDS + len(orders), every_seconds=LOOK_SECONDS):
            pytest.fail(f"{len(told)} of {len(orders)} orders are not {states}, or wait: {told[:5]}")

    def smooth(self, count: int) -> None:
        """Orders that go well."""
        self.kinds["smooth"] = self.place(count)
        self.end(self.kinds["smooth"], "delivered")

    def declined(self, count: int) -> None:
        """Orders whose card is refused."""
        self.kinds["declined"] = self.place(count, "tok_declined")
        self.end(self.kinds["declined"], "failed")

    def retried(self, count: int) -> None:
        """Orders whose label is refused five times."""
        failing: list[str] = []
        done: list[str] = []
        others: list[str] = []
        calmed: list[str] = []

        def enough() -> bool:
            waiting: dict[str, dict[str, int]] = defaultdict(dict)
            for command in self.waiting([*failing, *others]):
                waiting[command.order_id][command.task] = command.failures
            for one in failing:
                if waiting[one].get("orders.buy_label", 0) >= RETRIES:
                    done.append(one)
                elif not waiting[one].keys() & UP_TO_THE_LABEL:  # it had its label before it could be failed
                    calmed.append(one)
            failing[:] = [one for one in failing if one not in {*done, *calmed}]
            beside = min(OTHERS, 3 * count) - sum(bool(waiting[one]) for one in others)
            others.extend(self.place(beside))
            if len(done) + len(failing) < count and len(failing) < FAILING:
                failing.extend(self.place(min(FAILING - len(failing), count - len(done) - len(failing))))
            self._fail("carrier", failing)
            return len(done) >= count

        try:
            self._await(
                enough, f"{count} orders to be tried {RETRIES} times", ENDED_SECONDS + PER_RETRIED_SECONDS * count
            )
        finally:
            self._calm("carrier")
        self.kinds["retried"] = done
        self.kinds["beside"] = [*others, *calmed]
        self.end([*done, *others, *calmed], "delivered")

    def killed(self, count: int) -> None:
        """Orders whose worker is killed while it charges: every other time a child, else the pod with all of them."""
        died: dict[str, None] = {}
        every: list[str] = []
        task = "orders.take_payment"
        with self._faults("payments", SLOW):
            for turn in range(2 * count):
                if len(died) >= count:
                    break
                self._slow(SLOW)
                fresh = self.place(min(IN_FLIGHT, count))
                every += fresh
                self._await(lambda f=fresh: any(one.attempts == 1 for one in self.waiting(f, task)), "a charge")
                self.runtime.kill("payments", child=turn % 2 == 0)
                self.kills += 1
                self._slow(SEEN)

                def over(these: Sequence[str] = fresh) -> bool:
                    left = self.waiting(these, task)
                    died.update((one.order_id, None) for one in left if one.attempts > 1)
                    return not left

                self._await(over, "charges to end")
        self.kinds["killed"] = list(died)
        self.kinds["not killed"] = [one for one in every if one not in died]
        self.end(every, "delivered")

    def cancelled(self, count: int) -> None:
        """Orders that are cancelled while they are charged."""
        cancelled: dict[str, None] = {}
        every: list[str] = []
        with self._faults("payments", SLOW), OrdersApi.of(self.reach) as api:
            while len(cancelled) < count:
                fresh = self.place(min(IN_FLIGHT, count - len(cancelled)))
                every += fresh
                self._await(
                    lambda f=fresh: any(one.attempts == 1 for one in self.waiting(f, "orders.take_payment")), "a charge"
                )
                for one in fresh:
                    with contextlib.suppress(ApiRefused):  # too late
                        api.cancel(one)
                        cancelled[one] = None
        self.kinds["cancelled"] = list(cancelled)
        self.end(every, "cancelled", "delivered")

    def restored(self, count: int) -> None:
        """Orders that are done, and then done again because the database was brought back to when they were charged."""
        kubectl = self.runtime.kubectl
        restore.backup(kubectl)
        with self._faults("payments", SLOW):
            orders = self.place(count)
            self._await(lambda: bool(self.waiting(orders, "orders.take_payment")), "a charge")
            [[now]] = self.runtime.sql("SELECT to_json(clock_timestamp()) #>> '{}'")
        known = set(self.states(orders))
        self.end(orders, "delivered")
        restore.restore(kubectl, datetime.fromisoformat(now), self.tell)
        self.kills += 1
        cluster_reconciliation.reconcile(kubectl, None, apply=True, undo=False, refund=())
        restore.resume(kubectl, self.tell)
        assert known == set(orders)
        self.kinds["restored"] = orders
        self.end(orders, "delivered")

    def _rows(self, query: LiteralString) -> Sequence[Sequence[Any]]:
        """By a connection that stays, because a look by kubectl takes a tenth of a second of a core; by that where a restore ended it."""
        rows = self.database.rows(query)
        return self.runtime.sql(query) if rows is None else rows

    def _await(self, holds: Callable[[], bool], what: str, within_seconds: float = ENDED_SECONDS) -> None:
        if not until(holds, within_seconds=within_seconds, every_seconds=LOOK_SECONDS):
            pytest.fail(f"waited {within_seconds:.0f} s for {what}")

    def _faults(self, server: str, plan: Mapping[str, Any]) -> contextlib.AbstractContextManager[None]:
        return dependency_faults.faults(self.reach, server, plan)

    def _fail(self, server: str, orders: Sequence[str]) -> None:
        plan = {"rate": {"server_error": 1.0}, "orders": list(orders), "expires_in_seconds": ENDED_SECONDS}
        dependency_faults.call(self.reach, "PUT", server, "faults", plan)

    def _slow(self, plan: Mapping[str, Any]) -> None:
        dependency_faults.call(self.reach, "PUT", "payments", "faults", {"expires_in_seconds": ENDED_SECONDS, **plan})

    def _calm(self, server: str) -> None:
        dependency_faults.call(self.reach, "DELETE", server, "faults")


@contextlib.contextmanager
def opened(runtime: KubernetesRuntime, tell: Callable[[str], None]) -> Iterator[Shop]:
    """A shop with a catalogue."""
    with ClusterAccess(runtime.namespace, runtime.capstone) as reach:
        catalogue.fill(reach.addresses()["api"], reach.tokens()["operator"])
        with contextlib.closing(Database(reach)) as database:
            yield Shop(runtime, reach, database, tell)
