"""Products and stock, as operators keep them. Prices of accepted orders never change: they were copied at acceptance."""

from orders.domain.order import Product
from orders.domain.views import Level
from orders.ports import IntakeStore
from orders.usecases.errors import NotFound


class Catalogue:
    """What can be ordered, and how much of it there is. Every call may raise StoreUnavailable."""

    def __init__(self, store: IntakeStore) -> None:
        self._store = store

    def put(self, product: Product) -> bool:
        """Add or change a product; True when it is new."""
        with self._store.begin() as tx:
            return tx.put_product(product)

    def restock(self, sku: str, pieces: int, delivery_id: str | None) -> Level:
        """Add pieces, once for each named delivery; the level now. Raises NotFound."""
        with self._store.begin() as tx:
            if not tx.restock(sku, pieces, delivery_id):
                raise NotFound("sku", sku, "no such product")
        return self.level(sku)

    def level(self, sku: str) -> Level:
        """One product. Raises NotFound."""
        with self._store.read() as views:
            found = views.stock(sku=sku)
        if not found:
            raise NotFound("sku", sku, "no such product")
        return found[0]

    def levels(self, *, after: str, limit: int) -> list[Level]:
        """Products by SKU, those behind `after`."""
        with self._store.read() as views:
            return views.stock(after=after, limit=limit)
