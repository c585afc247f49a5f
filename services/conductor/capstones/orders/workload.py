"""The orders' load for a drill: see conductor.capstone.Workload."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from conductor.capstone import Patience, Size
from conductor.capstones.orders import promises, purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.load import Load, wish_of
from conductor.capstones.orders.progress import OrdersProgress
from conductor.capstones.orders.promises import Accepted, Intent, Told
from conductor.errors import DrillFailed
from conductor.harness.load import insist
from conductor.harness.paced_workload import PacedWorkload
from conductor.history import Journal, now
from conductor.runtime import Reach


class OrdersWorkload(PacedWorkload[Load]):
    """A load of orders for a drill: never more open than twice what a fault wants; see conductor.capstone.Workload.

    An order that hangs does not keep others from being placed: that it hangs is for the verdict to say.
    """

    def __init__(self, access: Reach, journal: Journal, size: Size, patience: Patience) -> None:
        super().__init__()
        self._access, self._journal, self._size, self._patience = access, journal, size, patience
        self.load = Load(
            partial(OrdersApi.of, access),
            journal,
            seed=size.seed,
            at_least=size.requests,
            patience_seconds=patience.total_seconds,
            room=self._has_room,
            per_second=lambda: size.per_second if size.steady or not self._hurry.is_set() else None,
        )
        self.scope = self.load.prefix
        self._progress = OrdersProgress(access, self.scope)
        self._submitted: set[str] = set()

    def loaded(self) -> int | None:
        there = self._progress.in_flight() or 0
        return there if there >= self._size.in_flight else None

    def finish(self, within_seconds: float) -> bool:
        in_time = super().finish(within_seconds)
        self._progress.close()
        return in_time

    def submit(self, name: str) -> str:
        customer = f"{self.scope}{name}"
        self._submitted.add(f"{customer}.key")
        wish = purchases.purchase(customer, sku="CLOCK", quantity=1, card="tok_ok")
        self._journal.write(Intent(now(), f"{customer}.key", customer, wish.pieces))
        with OrdersApi.of(self._access) as api:
            receipt = insist(lambda: api.place(f"{customer}.key", wish.body))
        self._journal.write(Accepted(now(), f"{customer}.key", receipt["order_id"], receipt["total_minor"], 1))
        return str(receipt["order_id"])

    def repeat(self, count: int) -> None:
        told = promises.read([self._journal.path])
        drawn = [accepted for accepted in told.accepted.values() if accepted.key not in self._submitted]
        with OrdersApi.of(self._access) as api:
            for accepted in drawn[:: max(1, len(drawn) // count)]:
                place_again(api, told, accepted, self._size.seed)

    @contextlib.contextmanager
    def _fullness(self) -> Iterator[Callable[[], bool]]:
        with contextlib.closing(OrdersProgress(self._access, self.scope)) as progress:

            def is_full() -> bool:
                lately = progress.in_flight(younger_than_seconds=self._patience.hanging_seconds)
                # While the database is away nobody can tell, and the customers are to notice.
                return lately is not None and lately >= 2 * self._size.in_flight

            yield is_full


def place_again(api: OrdersApi, told: Told, accepted: Accepted, seed: int) -> dict[str, Any]:
    """Send an order's request again, with its key. Returns the receipt. DrillFailed when it became another order."""
    _, wish = wish_of(told.intents[accepted.key].customer, seed)
    receipt = insist(partial(api.place, accepted.key, wish.body))
    if receipt["order_id"] != accepted.order_id:
        raise DrillFailed(f"key {accepted.key} made {accepted.order_id}, and then {receipt['order_id']}")
    return receipt
