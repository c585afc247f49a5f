"""Take orders in, and take them back. An order is accepted exactly when its transaction is: the key, the order with its prices,
the first line of its timeline and the command for its first step become true together (transactional outbox).

What may happen twice: the request. Its idempotency key decides; of two at once the first commit wins, and the other reads its answer.
Even a database that was restored to a time before the request is no way to a second charge: the order's id is made from the key, and what
the outside did for the first order it did for this one.
"""

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Self

from chassis import personal, subject_traces
from orders.domain import saga
from orders.domain.errors import CannotCancel
from orders.domain.order import Customer, LineRequest, Order, price
from orders.domain.saga import Stop
from orders.domain.views import KeyUse, Receipt
from orders.ports import Change, IntakeStore, IntakeTransaction
from orders.usecases import follow
from orders.usecases.backlog import Backlog
from orders.usecases.errors import Forbidden, KeyReused, NotFound, Overloaded, TooManyOpen
from orders.usecases.subject import ATTRIBUTE, personal_data

# Of every order's id (RFC 9562, 5.5). With another one, orders that are placed again after a restore are charged again.
_ORDERS = uuid.UUID("5f0d2c5e-8a0b-4c52-9d0c-6e0f5b7a1c34")


def order_id_of(scope: str, key: str) -> str:
    """The id of the order that this key names, now and for ever. No scope has a colon but in front."""
    return str(uuid.uuid5(_ORDERS, f"{scope}:{key}"))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a customer, or an operator (None), who may see and do everything."""

    customer: str | None

    @property
    def operator(self) -> bool:
        return self.customer is None

    @property
    def scope(self) -> str:
        """Whose idempotency keys these are; no customer's name has a colon."""
        return self.customer if self.customer is not None else ":operator"

    def may_see(self, customer: str) -> bool:
        return self.customer is None or self.customer == customer


@dataclass(frozen=True, slots=True)
class Placing:
    """A request for an order, not yet priced. `card` is the payment provider's token."""

    lines: tuple[LineRequest, ...]
    customer: Customer
    card: str

    @classmethod
    def of(cls, order: Order) -> Self:
        """The request that this order was made from."""
        lines = (
            LineRequest(line.sku, line.quantity, line.amount_minor if line.unit_price_minor is None else None)
            for line in order.lines
        )
        return cls(tuple(lines), order.customer, order.card)

    def digest(self) -> str:
        """Equal for equal requests."""
        to = self.customer
        parts = [
            [[line.sku, line.quantity, line.amount_minor] for line in self.lines],
            [to.customer, to.email, to.name, dict(to.address), self.card],
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receipt; `repeated` when an earlier request with this key had got it already."""

    receipt: Receipt
    repeated: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken on at most: open orders a customer, open commands in all; and how long goods are held."""

    open_orders: int = 1000
    open_commands: int = 20_000
    reservation_seconds: float = 900.0


class Intake:
    """Accepts and cancels orders. Every call may raise StoreUnavailable; the caller may then repeat it with the same key."""

    def __init__(self, store: IntakeStore, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._backlog = Backlog(limits.open_commands)

    def place(self, caller: Caller, key: str, wanted: Placing) -> Accepted:
        """Accept an order. Raises InvalidOrder, Forbidden, KeyReused, TooManyOpen, Overloaded."""
        _operators_only(caller, wanted)
        order_id = order_id_of(caller.scope, key)
        personal.hold(personal_data(wanted.customer, wanted.card))
        with self._store.begin() as tx:
            digest = wanted.digest()
            used = tx.claim(caller.scope, key, digest, order_id)
            if used is None:
                self._check_limits(tx, caller)
                receipt = self._accept(tx, order_id, wanted)
                if receipt is not None:
                    return Accepted(receipt, repeated=False)
                # The key was forgotten, as they are after a while; the order that it named is there.
                order = tx.orders([order_id])[order_id]
                used = KeyUse(Placing.of(order).digest(), Receipt(order_id, order.total_minor, order.currency))
            if used.digest != digest:
                raise KeyReused("Idempotency-Key", key, "was used for a request with another body")
            return Accepted(used.receipt, repeated=True)

    def cancel(self, caller: Caller, order_id: str) -> str:
        """Ask an order to stop; its state now. Repeating it changes nothing. Raises NotFound, CannotCancel."""
        with self._store.begin() as tx:
            found = tx.lock([order_id]).get(order_id)
            order = tx.orders([order_id]).get(order_id)
            if found is None or order is None or not caller.may_see(order.customer.customer):
                raise NotFound("order_id", order_id, "no such order")
            if found.stop is Stop.CANCELLED:
                return found.state
            advance = saga.cancel(found, "cancelled by an operator" if caller.operator else "cancelled by the customer")
            if advance is None:
                raise CannotCancel(order_id, found.state)
            tx.save([Change(order_id, advance.saga, needs_attention=order.needs_attention)])
            tx.note([follow.event(order_id, "cancel_requested", advance.saga)])
            headers = subject_traces.concerns(ATTRIBUTE, order_id, lambda: tx.went_wrong(order_id))
            tx.put(follow.commands(order_id, advance, headers))
            return advance.saga.state

    def _check_limits(self, tx: IntakeTransaction, caller: Caller) -> None:
        open_commands = self._backlog.size(tx.backlog)
        if open_commands >= self._limits.open_commands:
            raise Overloaded("backlog", open_commands, f"only {self._limits.open_commands} commands may be open")
        if caller.customer is not None:
            count = tx.open_orders(caller.customer, self._limits.open_orders)
            if count >= self._limits.open_orders:
                raise TooManyOpen("customer", caller.customer, f"only {self._limits.open_orders} orders may be open")

    def _accept(self, tx: IntakeTransaction, order_id: str, wanted: Placing) -> Receipt | None:
        skus = sorted({line.sku for line in wanted.lines})
        lines, total_minor, currency = price(wanted.lines, tx.catalogue(skus))
        advance = saga.begin()
        order = Order(order_id, wanted.customer, wanted.card, currency, total_minor, lines, advance.saga)
        if not tx.add(order, self._limits.reservation_seconds):
            return None
        tx.note([follow.event(order_id, "placed", advance.saga, total_minor=total_minor, currency=currency)])
        tx.put(follow.commands(order_id, advance, subject_traces.begins_trace_of(ATTRIBUTE, order_id)))
        return Receipt(order_id, total_minor, currency)


def _operators_only(caller: Caller, wanted: Placing) -> None:
    if caller.operator:
        return
    if not caller.may_see(wanted.customer.customer):
        raise Forbidden("customer", wanted.customer.customer, "only operators order for others")
    for i, line in enumerate(wanted.lines):
        if line.amount_minor is not None:
            raise Forbidden(f"lines[{i}].amount_minor", line.amount_minor, "only operators set a price")
