"""Why a request from outside is turned away, beyond what is wrong with an order itself (orders.domain.errors).

Refused (an OrderError)
├── NotFound          no such thing, or not the caller's
├── Forbidden         known who asks, but only operators may
├── KeyReused         the idempotency key belongs to another request
├── BadSignature      a callback that the carrier did not sign, or signed too long ago
├── TooManyOpen       the customer has to wait for earlier orders
└── Overloaded        everybody has to wait
"""

from orders.domain.errors import OrderError


class Refused(OrderError):
    """A request that is turned away; names the field and its value."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}: {reason}, got {value!r}")
        self.field, self.value, self.reason = field, value, reason


class NotFound(Refused):
    """No such thing, or not the caller's to see."""


class Forbidden(Refused):
    """For operators only."""


class KeyReused(Refused):
    """The idempotency key was used for a request with another body."""


class BadSignature(Refused):
    """A callback without a valid signature of this moment."""


class TooManyOpen(Refused):
    """The customer has as many open orders as one may have."""

    retry_after_seconds = 30


class Overloaded(Refused):
    """More work is open than can be taken on."""

    retry_after_seconds = 5
