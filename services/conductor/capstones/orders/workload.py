"""The orders' load for a drill: see conductor.capstone.Workload."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from conductor.capstone import Patience, Size
from conductor.capstones.orders import promises, purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.load import Load, wish_of
from conductor.capstones.orders.progress import OrdersProgress
from conductor.capstones.orders.promises import Accepted, Intent, Told
from conductor.errors import ApiRefused, ApiUnreachable, DrillFailed
from conductor.history import Journal, now
from conductor.runtime import Reach
from conductor.waiting import until

LOOK_SECONDS = 0.1
"""Between two looks at how many orders are open."""

ANSWER_SECONDS = 180.0
"""How long a single request is sent again and again."""

T = TypeVar("T")


class OrdersWorkload:
    """A load of orders for a drill: never more open than twice what a fault wants; see conductor.capstone.Workload.

    An order that hangs does not keep others from being placed: that it hangs is for the verdict to say.
    """

    def __init__(self, access: Reach, journal: Journal, size: Size, patience: Patience) -> None:
        self._access, self._journal, self._size, self._patience = access, journal, size, patience
        self._hurry = threading.Event()
        self._full = threading.Event()
        self._over = threading.Event()
        self._pacer = threading.Thread(target=self._pace, daemon=True)
        self.load = Load(
            partial(OrdersApi.of, access),
            journal,
            seed=size.seed,
            at_least=size.requests,
            patience_seconds=patience.total_seconds,
            room=lambda: not self._full.is_set(),
            per_second=lambda: size.per_second if size.steady or not self._hurry.is_set() else None,
        )
        self.scope = self.load.prefix
        self._progress = OrdersProgress(access, self.scope)
        self._submitted: set[str] = set()

    @property
    def accepted(self) -> int:
        return self.load.accepted

    @property
    def repeats(self) -> int:
        return self.load.repeats

    @property
    def gave_up(self) -> int:
        return self.load.gave_up

    @property
    def abrupt(self) -> int:
        return self.load.abrupt

    def start(self) -> None:
        self._pacer.start()
        self.load.__enter__()

    def loaded(self) -> int | None:
        there = self._progress.in_flight() or 0
        return there if there >= self._size.in_flight else None

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        self._hurry.set()
        try:
            yield
        finally:
            self._hurry.clear()

    def finish(self, within_seconds: float) -> bool:
        with self.hurried():
            in_time = self.load.finish(within_seconds)
        self._over.set()
        self._pacer.join()
        self._progress.close()
        return in_time

    def asked_again(self) -> Counter[str]:
        return self.load.asked_again()

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

    def _pace(self) -> None:
        progress = OrdersProgress(self._access, self.scope)
        while not self._over.wait(LOOK_SECONDS):
            lately = progress.in_flight(younger_than_seconds=self._patience.hanging_seconds)
            # While the database is away nobody can tell, and the customers are to notice.
            (self._full.set if lately is not None and lately >= 2 * self._size.in_flight else self._full.clear)()
        progress.close()


def place_again(api: OrdersApi, told: Told, accepted: Accepted, seed: int) -> dict[str, Any]:
    """Send an order's request again, with its key. Returns the receipt. DrillFailed when it became another order."""
    _, wish = wish_of(told.intents[accepted.key].customer, seed)
    receipt = insist(partial(api.place, accepted.key, wish.body))
    if receipt["order_id"] != accepted.order_id:
        raise DrillFailed(f"key {accepted.key} made {accepted.order_id}, and then {receipt['order_id']}")
    return receipt


def insist(ask: Callable[[], T], within_seconds: float = ANSWER_SECONDS) -> T:
    """Ask again while the API is away or busy, and return its answer. DrillFailed when it refuses for good."""
    answer: list[T] = []

    def answered() -> bool:
        try:
            answer.append(ask())
        except ApiUnreachable:
            return False
        except ApiRefused as error:
            if error.status in (429, 503):
                return False
            raise DrillFailed(str(error)) from error
        return True

    if not until(answered, within_seconds=within_seconds, every_seconds=LOOK_SECONDS):
        raise DrillFailed("waited in vain for the API to answer")
    return answer[0]
