"""Orders as customers would place them: seeded, so that a drill that failed can be run again with the same ones. Pure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conductor.capstones.orders.catalogue import PRODUCTS

DECLINED_SHARE = 0.03
"""Of cards that the payment provider declines: what compensates must be seen, too."""

ADDRESS = {"street": "Hauptstrasse 1", "city": "Berlin", "postcode": "10115", "country": "DE"}


@dataclass(frozen=True, slots=True)
class Purchase:
    """`body` is what POST /orders takes; `pieces` the same by SKU."""

    body: Mapping[str, Any]
    pieces: Mapping[str, int]


def purchase(customer: str, *, sku: str, quantity: int, card: str) -> Purchase:
    """An order of one line for an operator to place on behalf of `customer`."""
    return _purchase(customer, {sku: quantity}, card)


def drawn(customer: str, rng: random.Random) -> Purchase:
    """A random order of one to three lines."""
    skus = rng.sample([product.sku for product in PRODUCTS], rng.randint(1, 3))
    card = "tok_declined" if rng.random() < DECLINED_SHARE else "tok_ok"
    return _purchase(customer, {sku: rng.randint(1, 3) for sku in skus}, card)


def _purchase(customer: str, pieces: Mapping[str, int], card: str) -> Purchase:
    body = {
        "customer": customer,
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in pieces.items()],
        "email": f"{customer}@customers.example",
        "name": "Erika Mustermann",
        "address": ADDRESS,
        "card": card,
    }
    return Purchase(body, pieces)
