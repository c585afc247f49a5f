"""Places orders as patient customers do, many at a time, and writes down what was promised.

A request that got no answer, or was told to come again (429, 503), is sent again with the same key until it is answered, so no
failure of ours makes two orders of one. Each order has a customer of its own: two orders of one customer would be one order placed twice.
"""

import itertools
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from conductor.capstones.orders import purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.promises import Accepted, Cancelled, Intent, Refused
from conductor.errors import ApiRefused, ApiUnreachable
from conductor.history import Journal, now

FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 2.0
CANCELLED_SHARE = 0.03
"""Of orders that their customer cancels right after: cancelling races with every step."""

PAUSE_SECONDS = 0.05
"""Between two looks while the load waits for orders to be worked off, or for its turn."""


def wish_of(customer: str, seed: int) -> tuple[random.Random, purchases.Purchase]:
    """What this customer buys, and what else they decide by; the same whenever it is asked."""
    rng = random.Random(f"{seed}/{customer.rpartition('-')[2]}")
    return rng, purchases.drawn(customer, rng)


class Load:
    """Orders placed by `customers` threads until at least `at_least` were accepted *and* it was told to stop.

    With `room` (whether another order may be opened now) the load never piles up more than the drill wants; with `per_second` (how many
    may be opened a second at most, as of now; None is as many as are answered) it leaves room on the machine for what is drilled.
    """

    def __init__(
        self,
        connect: Callable[[], OrdersApi],
        journal: Journal,
        *,
        seed: int,
        at_least: int,
        customers: int = 8,
        patience_seconds: float = 120.0,
        room: Callable[[], bool] = lambda: True,
        per_second: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.prefix = f"load-{secrets.token_hex(4)}-"
        self._connect = connect
        self._journal = journal
        self._seed = seed
        self._at_least = at_least
        self._patience_seconds = patience_seconds
        self._room = room
        self._per_second = per_second
        self._next_at = 0.0
        self._stop = threading.Event()
        self._abandon = threading.Event()
        self._numbers = itertools.count(1)
        self._counting = threading.Lock()
        self.accepted = 0
        self.repeats = 0
        self.gave_up = 0
        self._again: Counter[str] = Counter()
        self.abrupt = 0
        """How many of these times nobody said when to come again: no answer, or one without Retry-After."""
        self._threads = [threading.Thread(target=self._shop, daemon=True) for _ in range(customers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(within_seconds=0 if error is not None else self._patience_seconds)

    def finish(self, within_seconds: float) -> bool:
        """Stop as soon as enough were accepted, and wait for the last answers; False when it took too long and was cut short."""
        self._stop.set()
        deadline = time.monotonic() + within_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        in_time = not any(thread.is_alive() for thread in self._threads)
        self._abandon.set()
        for thread in self._threads:
            thread.join()
        return in_time

    def asked_again(self) -> Counter[str]:
        """Why requests had to be sent again, up to now."""
        with self._counting:
            return self._again.copy()

    def _shop(self) -> None:
        with self._connect() as api:
            while self._wanted():
                if not self._room():
                    self._abandon.wait(PAUSE_SECONDS)
                    continue
                if self._gets_turn():
                    self._buy(api, next(self._numbers))

    def _gets_turn(self) -> bool:
        """Return when it is this customer's turn to buy; False when nobody is to buy any more."""
        rate = self._per_second()
        if rate is None:
            return True
        with self._counting:
            at = max(self._next_at, time.monotonic())
            self._next_at = at + 1 / rate
        # Nobody waits for a turn that is not needed any more.
        while (left := at - time.monotonic()) > 0 and self._per_second() is not None:
            if self._abandon.wait(min(left, PAUSE_SECONDS)):
                return False
        return True

    def _wanted(self) -> bool:
        enough = self._stop.is_set() and self.accepted >= self._at_least
        return not enough and not self._abandon.is_set()

    def _buy(self, api: OrdersApi, number: int) -> None:
        customer = f"{self.prefix}{number}"
        rng, wish = wish_of(customer, self._seed)
        key = f"{customer}.key"
        self._journal.write(Intent(now(), key, customer, wish.pieces))
        order_id = self._insist(api, key, wish, rng)
        if order_id is not None and rng.random() < CANCELLED_SHARE:
            # Whether it comes in time is the platform's business; that it has one answer is what is judged.
            try:
                api.cancel(order_id)
            except (ApiRefused, ApiUnreachable):
                return
            self._journal.write(Cancelled(now(), key))

    def _insist(self, api: OrdersApi, key: str, wish: purchases.Purchase, rng: random.Random) -> str | None:
        """Ask until there is an answer. Returns the order's id, or None when it was refused or patience ran out."""
        deadline = time.monotonic() + self._patience_seconds
        for tries in itertools.count(1):
            wait: float | None = None
            try:
                receipt = api.place(key, wish.body)
            except ApiRefused as error:
                if error.status < 500 and error.status != 429:
                    self._journal.write(Refused(now(), key, error.status, str(error)))
                    return None
                wait, why = error.retry_after_seconds, str(error)
            except ApiUnreachable as error:
                why = str(error)
            else:
                self._journal.write(Accepted(now(), key, receipt["order_id"], receipt["total_minor"], tries))
                with self._counting:
                    self.accepted += 1
                    self.repeats += tries - 1
                return str(receipt["order_id"])
            with self._counting:
                self._again[why] += 1
                self.abrupt += wait is None
            ceiling = min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(tries, 10))
            if time.monotonic() > deadline or self._abandon.wait(wait or rng.uniform(0, ceiling)):
                self._journal.write(Refused(now(), key, None, f"gave up after {tries} tries: {why}"))
                with self._counting:
                    self.gave_up += 1
                return None
        return None
