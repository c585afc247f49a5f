"""What can be wrong with an order.

OrderError
├── InvalidOrder       the request itself; names field and value
├── UnknownProduct     a SKU the catalogue does not have
├── StockExhausted     fewer free pieces than asked for
├── CannotCancel       the parcel is on its way, or the order is over
└── OutOfPlace         an outcome that the saga's facts rule out: a bug, never bad luck
"""


class OrderError(Exception):
    """Base of the domain's errors."""


class InvalidOrder(OrderError):
    """A request that can never become an order."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}: {reason}, got {value!r}")
        self.field, self.value, self.reason = field, value, reason


class UnknownProduct(InvalidOrder):
    """A SKU that is not in the catalogue."""

    def __init__(self, field: str, sku: str) -> None:
        super().__init__(field, sku, "no such product")


class StockExhausted(OrderError):
    """Too few pieces left."""

    def __init__(self, sku: str, free: int, asked: int) -> None:
        super().__init__(f'stock of "{sku}" is {free}, asked for {asked}')
        self.sku, self.free, self.asked = sku, free, asked


class CannotCancel(OrderError):
    """Too late to cancel."""

    def __init__(self, order_id: str, state: str) -> None:
        super().__init__(f"order {order_id} is {state} and cannot be cancelled")
        self.order_id, self.state = order_id, state


class OutOfPlace(OrderError):
    """An event that cannot follow from what is known."""
