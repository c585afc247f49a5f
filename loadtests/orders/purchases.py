"""Orders to measure with: seeded, so that both sides get the same ones. Pure."""

import random
from collections.abc import Iterator

from conductor.capstones.orders.catalogue import PRODUCTS
from orders.domain.order import Customer, LineRequest
from orders.usecases.intake import Placing

ADDRESS = {"street": "12 Harbour Lane", "city": "Bristol", "postcode": "BS1 4ST", "country": "GB"}


def purchases(count: int, seed: int, customer: str) -> Iterator[Placing]:
    """`count` orders of one to three products, by `customer`."""
    dice = random.Random(seed)
    for n in range(count):
        skus = dice.sample([product.sku for product in PRODUCTS], dice.randint(1, 3))
        yield Placing(
            lines=tuple(LineRequest(sku, dice.randint(1, 3)) for sku in skus),
            customer=Customer(customer, f"ann.{n}@example.com", "Ann Example", ADDRESS),
            card="tok_ok",
        )
