"""Place orders again that a restored database does not know, repeat the wish of customers to cancel, and send no mail again.

An order keeps its id and its prices, so the outside takes every step of it for the repeat that it is. What may happen twice: all of it, and
also the customer's own repeat: of two, the idempotency key lets one in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orders.domain import saga
from orders.domain.reconciliation import Listed
from orders.ports import Change, IntakeStore, IntakeTransaction
from orders.usecases import follow


@dataclass(frozen=True, slots=True)
class Again:
    """Orders that are missing, and orders that do not know that they are to stop."""

    missing: Sequence[str]
    to_cancel: Sequence[str]


class PlacedAgain:
    """Works on the recovery list. Every call may raise StoreUnavailable: repeat it."""

    def __init__(self, store: IntakeStore, *, reservation_seconds: float) -> None:
        self._store = store
        self._reservation_seconds = reservation_seconds

    def look(self, listed: Iterable[Listed]) -> Again:
        """What `place` would do."""
        missing, to_cancel = [], []
        for one in listed:
            with self._store.begin() as tx:
                known = tx.orders([one.order.id]).get(one.order.id)
            if known is None:
                missing.append(one.order.id)
            if one.cancelled and (known is None or saga.cancel(known.saga) is not None):
                to_cancel.append(one.order.id)
        return Again(missing, to_cancel)

    def place(self, listed: Iterable[Listed], *, actor: str) -> Again:
        """Place what is missing and cancel what is to stop, each order in a transaction of its own; what was done."""
        missing, to_cancel = [], []
        for one in listed:
            with self._store.begin() as tx:
                if self._placed(tx, one, actor):
                    missing.append(one.order.id)
                tx.remember_mails(one.order.id, one.mails)
                if one.cancelled and self._cancelled(tx, one, actor):
                    to_cancel.append(one.order.id)
        return Again(missing, to_cancel)

    def _placed(self, tx: IntakeTransaction, one: Listed, actor: str) -> bool:
        advance = saga.begin()
        if tx.claim(one.scope, one.key, one.digest, one.order.id) is not None:
            return False
        if not tx.add(replace(one.order, saga=advance.saga), self._reservation_seconds):
            return False
        tx.note([follow.event(one.order.id, "placed_again", advance.saga, actor=actor)])
        tx.put(follow.commands(one.order.id, advance, {}))
        return True

    def _cancelled(self, tx: IntakeTransaction, one: Listed, actor: str) -> bool:
        order_id = one.order.id
        before = tx.lock([order_id])[order_id]
        advance = saga.cancel(before, one.reason)
        if advance is None:
            return False
        order = tx.orders([order_id])[order_id]
        tx.save([Change(order_id, advance.saga, needs_attention=order.needs_attention)])
        tx.note([follow.event(order_id, "cancel_requested", advance.saga, actor=actor)])
        tx.put(follow.commands(order_id, advance, {}))
        return True
