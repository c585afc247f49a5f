"""What is done by the clock: turn back orders whose reservation ran out, look for orders that nothing moves on, mark those put aside.

Both may run twice at once: rows are taken with SKIP LOCKED, and a command that is open already is not written again.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from chassis import tracing
from chassis.loggers import get_logger
from orders.domain.saga import Advance, Saga, expire
from orders.ports import Change, OrderStore
from orders.usecases import follow

log = get_logger(__name__)


class OverdueStore(OrderStore, Protocol):
    """Also finds what is overdue."""

    def now(self) -> datetime:
        """The time by the database's clock, which wrote all times that this one is compared with."""

    def expired(self, now: datetime, limit: int) -> dict[str, Saga]:
        """Unpaid orders whose reservation ran out before `now`, locked."""

    def stranded(self, before: datetime, limit: int) -> dict[str, Saga]:
        """Orders with an open step but no command for it, untouched since `before`, locked."""

    def unnoticed(self, limit: int) -> dict[str, tuple[Saga, str]]:
        """Orders with a parked command that do not say that they need attention, locked; and why they do."""


def expire_reservations(store: OverdueStore, now: datetime, *, limit: int = 500) -> int:
    """Ask every order whose reservation ran out to stop; how many did. One whose charge is in flight waits for its outcome."""
    advances: dict[str, Advance] = {}
    for order_id, saga in store.expired(now, limit).items():
        advance = expire(saga)
        if advance is not None:
            advances[order_id] = advance
    store.save([Change(i, a.saga) for i, a in advances.items()])
    store.put([c for i, a in advances.items() for c in follow.commands(i, a, tracing.inject())])
    store.note([follow.event(i, "expired", a.saga) for i, a in advances.items()])
    return len(advances)


def reconcile(store: OverdueStore, before: datetime, *, limit: int = 500) -> Sequence[str]:
    """Write the missing command of every stranded order; their ids. There are none unless somebody deleted rows by hand."""
    stranded = store.stranded(before, limit)
    store.put(
        [
            replace(follow.step_command(i, saga.open, tracing.inject()), begun=True)
            for i, saga in stranded.items()
            if saga.open
        ]
    )
    for order_id, saga in stranded.items():
        log.error("stranded_order", order_id=order_id, step=saga.open)
    return list(stranded)


def notice_parked(store: OverdueStore, *, limit: int = 500) -> Sequence[str]:
    """Mark orders whose command was put aside by somebody who knows nothing of orders (a worker that could not read its message,
    the collector of dead letters); their ids."""
    found = store.unnoticed(limit)
    follow.attention(store, {i: saga for i, (saga, _) in found.items()}, {i: why for i, (_, why) in found.items()})
    return list(found)
