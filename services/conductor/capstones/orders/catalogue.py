"""What the shop sells here: filled in through the API, as an operator would; what is there already stays."""

import uuid
from dataclasses import dataclass

import httpx

from conductor.errors import ApiRefused
from conductor.harness.json_api import JsonApi

OPENING_STOCK = 1_000_000
"""So much that drills and replays never run out of it by accident."""


@dataclass(frozen=True, slots=True)
class Product:
    """`price_minor` in cents."""

    sku: str
    name: str
    price_minor: int
    currency: str = "EUR"


PRODUCTS = (
    Product("CD", "Compact disc", 1499),
    Product("LAMP", "Desk lamp", 3900),
    Product("MUG", "Stoneware mug", 1250),
    Product("TEAPOT", "Cast-iron teapot", 5400),
    Product("KETTLE", "Gooseneck kettle", 6900),
    Product("NOTEBOOK", "Dotted notebook", 1800),
    Product("PEN", "Fountain pen", 2700),
    Product("CHAIR", "Oak chair", 18900),
    Product("BLANKET", "Wool blanket", 8900),
    Product("CLOCK", "Wall clock", 4500),
    Product("RADIO", "Kitchen radio", 7900),
    Product("BOOK", "Field guide to birds", 2400),
)
"""What drills and load tests draw orders from: one currency, as an order may hold only one."""

ABROAD = (Product("CD-US", "Compact disc, from the US shop", 1499, "USD"),)
"""What replayed files buy; their rows bring their own prices."""


def fill(address: str, operator_token: str) -> None:
    """Make each product that is missing and deliver its opening stock, once. Raises ApiUnreachable and ApiRefused."""
    with JsonApi(address, operator_token) as api:
        for product in (*PRODUCTS, *ABROAD):
            if not _is_there(api, product):
                body = {"name": product.name, "price_minor": product.price_minor, "currency": product.currency}
                api.json("PUT", f"/products/{product.sku}", json=body)
            # The delivery has a name, so that it counts once however often it is sent.
            delivery = {"add": OPENING_STOCK, "delivery_id": str(uuid.uuid5(uuid.NAMESPACE_OID, product.sku))}
            api.json("POST", f"/stock/{product.sku}", json=delivery)


def _is_there(api: JsonApi, product: Product) -> bool:
    try:
        api.json("GET", f"/stock/{product.sku}")
    except ApiRefused as refusal:
        if refusal.status != httpx.codes.NOT_FOUND:
            raise
        return False
    return True
