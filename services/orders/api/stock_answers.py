"""What the API answers about products and their stock, as documented in OpenAPI."""

from pydantic import BaseModel

from orders.domain.views import Level


class LevelBody(BaseModel):
    """A product and its stock."""

    sku: str
    name: str
    price_minor: int
    currency: str
    on_hand: int
    reserved: int
    free: int


class LevelsBody(BaseModel):
    """A page of products by SKU."""

    products: list[LevelBody]
    next: str | None


def level_body(found: Level) -> LevelBody:
    product = found.product
    return LevelBody(
        sku=product.sku,
        name=product.name,
        price_minor=product.price_minor,
        currency=product.currency,
        on_hand=found.on_hand,
        reserved=found.reserved,
        free=found.on_hand - found.reserved,
    )
