"""Places orders as patient customers do, many at a time, and writes down what was promised; see conductor.harness.load.

Each order has a customer of its own: two orders of one customer would be one order placed twice.
"""

import random
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from conductor.capstones.orders import purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.promises import Accepted, Cancelled, Intent, Refused
from conductor.errors import ApiRefused, ApiUnreachable
from conductor.harness import load
from conductor.history import Journal, now

CANCELLED_SHARE = 0.03
"""Of orders that their customer cancels right after: cancelling races with every step."""


def wish_of(customer: str, seed: int) -> tuple[random.Random, purchases.Purchase]:
    """What this customer buys, and what else they decide by; the same whenever it is asked."""
    rng = random.Random(f"{seed}/{customer.rpartition('-')[2]}")
    return rng, purchases.drawn(customer, rng)


class Load(load.Load[OrdersApi]):
    """Orders of a seed; `options` are those of every load."""

    def __init__(self, connect: Callable[[], OrdersApi], journal: Journal, *, seed: int, **options: Any) -> None:
        super().__init__(connect, **options)
        self.prefix = f"load-{secrets.token_hex(4)}-"
        self._journal = journal
        self._seed = seed

    def send(self, api: OrdersApi, number: int) -> None:
        customer = f"{self.prefix}{number}"
        rng, wish = wish_of(customer, self._seed)
        key = f"{customer}.key"
        self._journal.write(Intent(now(), key, customer, wish.pieces))
        answer = self.insist(partial(api.place, key, wish.body), rng)
        if answer.told is None:
            self._journal.write(Refused(now(), key, answer.status, answer.why))
            return
        order_id = str(answer.told["order_id"])
        self._journal.write(Accepted(now(), key, order_id, answer.told["total_minor"], answer.tries))
        if rng.random() < CANCELLED_SHARE:
            # Whether it comes in time is the platform's business; that it has one answer is what is judged.
            try:
                api.cancel(order_id)
            except (ApiRefused, ApiUnreachable):
                return
            self._journal.write(Cancelled(now(), key))
