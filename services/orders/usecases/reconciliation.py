"""Compare the books of provider and carrier with the orders, and settle what differs; after a restore above all.

What may happen twice: all of it. Facts are learned once, a refund is one however often it is asked for, and an order that is placed again
meanwhile finds its charge refunded and ends as failed. Every act leaves a line on the timeline of its order, also of one that is not there
(any more, or yet).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from chassis.errors import Permanent, Transient
from orders.domain.reconciliation import Difference, Remedy, Seen, compare, learn
from orders.domain.saga import Parcel, Payment
from orders.ports import (
    Carrier,
    Change,
    ChargeStatus,
    Event,
    IntakeStore,
    PaymentProvider,
    Records,
)
from orders.usecases import follow
from orders.usecases.acts import PAYMENT_SUFFIX

# Orders a transaction takes: a few tens of milliseconds of locks.
BATCH = 200
EVENT = "reconciled"
"""The kind of its lines on timelines."""

T = TypeVar("T")

_PAYMENT = {
    ChargeStatus.CAPTURED: Payment.CAPTURED,
    ChargeStatus.DECLINED: Payment.DECLINED,
    ChargeStatus.REFUNDED: Payment.REFUNDED,
    ChargeStatus.VOIDED: Payment.BARRED,
}


@dataclass(frozen=True, slots=True)
class Settled:
    """A difference and what was done: `learned`, `undone`, `left` (for the next run, or a person) or `failed`, with the reason."""

    difference: Difference
    outcome: str
    why: str = ""


class Reconciliation:
    """Looks, and settles. Reading the books may raise Transient, the database StoreUnavailable: run it again."""

    def __init__(self, store: IntakeStore, records: Records, payments: PaymentProvider, carrier: Carrier) -> None:
        self._store = store
        self._records = records
        self._payments = payments
        self._carrier = carrier

    def differences(self, since: datetime) -> list[Difference]:
        """What differs for orders that the outside did anything for since then; by order id."""
        seen = self._seen(since)
        found: list[Difference] = []
        for ids in _batches(sorted(seen)):
            with self._store.begin() as tx:
                orders = tx.orders(ids)
            found += [d for i in ids if (d := compare(i, orders.get(i), seen[i])) is not None]
        return found

    def settle(
        self, differences: Sequence[Difference], *, actor: str, undo: bool, refund: Collection[str] = ()
    ) -> list[Settled]:
        """Learn what can be learned; undo what is left over only when told to, since its customer may still place it again.

        `refund` names orders whose parcel is gone and whose money is given back nevertheless.
        """
        learning = [d for d in differences if d.remedy is Remedy.LEARN]
        settled = [one for batch in _batches(learning) for one in self._learn_apart(batch, actor)]
        for difference in differences:
            wanted = undo if difference.remedy is Remedy.UNDO else difference.order_id in refund
            if difference.remedy is not Remedy.LEARN:
                settled.append(self._undo(difference, actor) if wanted else self._leave(difference))
        return settled

    def _seen(self, since: datetime) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        for charge in self._records.charges(since):
            order_id = charge.key.removesuffix(PAYMENT_SUFFIX)
            if order_id != charge.key and _ours(order_id):
                seen[order_id] = Seen(
                    _PAYMENT[charge.status], charge.amount_minor, charge.currency, payment_key=charge.key
                )
        for parcel in self._records.parcels(since):
            if _ours(parcel.order_id):
                seen[parcel.order_id] = replace(
                    seen.get(parcel.order_id, Seen()),
                    parcel=parcel.state,
                    tracking_number=parcel.tracking_number,
                    delivered=parcel.delivered,
                )
        return seen

    def _learn_apart(self, differences: Sequence[Difference], actor: str) -> list[Settled]:
        """Learn all at once; where one of them cannot be recorded, each by itself, so that it holds up no other."""
        try:
            return self._learn(differences, actor)
        except Permanent as error:
            if len(differences) == 1:
                return [Settled(differences[0], "failed", str(error))]
        return [one for difference in differences for one in self._learn_apart([difference], actor)]

    def _learn(self, differences: Sequence[Difference], actor: str) -> list[Settled]:
        by_id = {d.order_id: d for d in differences}
        with self._store.begin() as tx:
            sagas = tx.lock(list(by_id))
            # An order may have gone on since it was looked at.
            advances = {i: a for i, saga in sagas.items() if (a := learn(saga, by_id[i].seen)) is not None}
            orders = tx.orders(list(advances))
            changes = [
                Change(i, a.saga, by_id[i].seen.tracking_number, orders[i].needs_attention) for i, a in advances.items()
            ]
            tx.save(changes)
            tx.put([command for i, a in advances.items() for command in follow.commands(i, a, {})])
            found = [i for i in advances if sagas[i].parcel is Parcel.NONE and by_id[i].seen.tracking_number]
            tx.put([follow.label_command(i, {}) for i in found])
            notes = [follow.event(i, EVENT, a.saga, learned=by_id[i].why, actor=actor) for i, a in advances.items()]
            tx.note(notes)
        return [Settled(d, "learned") for d in differences]

    def _undo(self, difference: Difference, actor: str) -> Settled:
        seen = difference.seen
        try:
            if seen.parcel is Parcel.LABELLED and not self._carrier.void(_number(seen)):
                return Settled(difference, "left", "the carrier has taken the parcel meanwhile")
            if seen.payment_key is not None:
                self._payments.reverse(seen.payment_key)
        except (Transient, Permanent) as error:
            return Settled(difference, "failed", str(error))
        with self._store.begin() as tx:
            tx.note([Event(difference.order_id, EVENT, {"undone": difference.why, "actor": actor})])
        return Settled(difference, "undone")

    def _leave(self, difference: Difference) -> Settled:
        order_id = difference.order_id
        if difference.remedy is Remedy.UNDO:
            return Settled(difference, "left", "its customer may still place it again")
        with self._store.begin() as tx:
            order = tx.orders([order_id]).get(order_id)
            if order is not None and order.needs_attention is None:
                follow.attention(tx, tx.lock([order_id]), {order_id: difference.why})
        return Settled(difference, "left", "a person has to decide")


def _ours(order_id: str) -> bool:
    try:
        return str(UUID(order_id)) == order_id
    except ValueError:
        return False


def _number(seen: Seen) -> str:
    assert seen.tracking_number is not None, "every parcel has a number"
    return seen.tracking_number


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[i : i + BATCH] for i in range(0, len(items), BATCH))
