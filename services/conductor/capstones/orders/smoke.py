"""`python -m conductor.capstones.orders.smoke --api URL`: are orders taken and delivered here?

Runs inside a cluster as well as beside a laptop. Fills the catalogue, places orders that must all be delivered, and follows them to their
end. OPERATOR_TOKEN is the bearer token. The last line is JSON: `{"orders", "errors", "seconds", "first_delivered_seconds"}`; the exit
status is 0 when there was no error.
"""

import json
import secrets
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from conductor.capstones.orders import catalogue, purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.checker import FINAL
from conductor.errors import ApiUnreachable, ConductorError
from conductor.harness import smoke_program
from conductor.waiting import until

CUSTOMERS = 8
"""Orders placed at a time."""

LOOK_SECONDS = 0.2


@dataclass
class Smoke:
    """What came of it; `errors` are sentences."""

    orders: int
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    first_delivered_seconds: float | None = None

    def as_json(self) -> str:
        """The last line."""
        first = self.first_delivered_seconds
        return json.dumps(
            {
                "orders": self.orders,
                "errors": len(self.errors),
                "seconds": round(self.seconds, 1),
                "first_delivered_seconds": None if first is None else round(first, 1),
            }
        )


def smoke(address: str, token: str, *, orders: int, within_seconds: float) -> Smoke:
    """Place so many orders and wait until each is final; every refusal and every order that is not delivered is an error."""
    began = time.monotonic()
    found = Smoke(orders)
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        answers = list(pool.map(lambda number: _placed(address, token, number), range(orders)))
    waiting = [answer for answer, well in answers if well]
    found.errors += [answer for answer, well in answers if not well]
    with OrdersApi(address, token) as api:

        def done() -> bool:
            for order_id in list(waiting):
                try:
                    state = api.show(order_id)["state"]
                except ApiUnreachable:  # a connection that the server closed while it rested; asking again does no harm
                    return False
                if state not in FINAL:
                    continue
                waiting.remove(order_id)
                if state != "delivered":
                    found.errors.append(f"order {order_id} ended {state}")
                elif found.first_delivered_seconds is None:
                    found.first_delivered_seconds = time.monotonic() - began
            return not waiting

        left = began + within_seconds - time.monotonic()
        if not until(done, within_seconds=left, every_seconds=LOOK_SECONDS):
            found.errors += [f"order {order_id} was not final after {within_seconds:.0f} s" for order_id in waiting]
    found.seconds = time.monotonic() - began
    return found


def _placed(address: str, token: str, number: int) -> tuple[str, bool]:
    """An order's id and True, or what was said instead and False."""
    key = f"smoke-{secrets.token_hex(8)}"
    product = catalogue.PRODUCTS[number % len(catalogue.PRODUCTS)]
    try:
        with OrdersApi(address, token) as api:
            wish = purchases.purchase(key, sku=product.sku, quantity=1, card="tok_ok")
            return str(api.place(key, wish.body)["order_id"]), True
    except ConductorError as error:
        return f"an order was not taken: {error}", False


def _filled_and_tried(address: str, tokens: Mapping[str, str], orders: int, within_seconds: float) -> Smoke:
    catalogue.fill(address, tokens["operator"])
    return smoke(address, tokens["operator"], orders=orders, within_seconds=within_seconds)


if __name__ == "__main__":
    sys.exit(
        smoke_program.main(
            sys.argv[1:],
            capstone="orders",
            description="Are orders taken and delivered?",
            tokens=("operator",),
            smoke=_filled_and_tried,
            outcome=Smoke,
        )
    )
