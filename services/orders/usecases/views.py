"""Look at orders. A customer sees their own; another's is not there, which is also what a wrong guess learns."""

from dataclasses import replace

from orders.domain.saga import State
from orders.domain.views import Entry, OrderSummary, OrderView
from orders.ports import IntakeStore, Views
from orders.usecases.errors import Forbidden, NotFound
from orders.usecases.intake import Caller


class Viewing:
    """Reads for a caller. Every call may raise StoreUnavailable; NotFound when the caller may not see it."""

    def __init__(self, store: IntakeStore) -> None:
        self._store = store

    def order(self, caller: Caller, order_id: str) -> OrderView:
        """One order; what it waits for is told to operators only, since errors name what is behind the scenes."""
        with self._store.read() as views:
            found = views.order(order_id)
        if found is None or not caller.may_see(found.summary.customer):
            raise NotFound("order_id", order_id, "no such order")
        return found if caller.operator else replace(found, waiting=())

    def orders(
        self, caller: Caller, *, customer: str | None, state: State | None, after: str | None, limit: int
    ) -> list[OrderSummary]:
        """Newest first. Raises Forbidden for another's orders, NotFound when `after` is no order to be seen."""
        if customer is not None and not caller.may_see(customer):
            raise Forbidden("customer", customer, "only operators see the orders of others")
        with self._store.read() as views:
            if after is not None and not _sees(caller, views, after):
                raise NotFound("after", after, "no such order")
            return views.orders(customer=customer or caller.customer, state=state, after=after, limit=limit)

    def check(self, caller: Caller, order_id: str) -> None:
        """Return when there is such an order and the caller may see it."""
        with self._store.read() as views:
            if not _sees(caller, views, order_id):
                raise NotFound("order_id", order_id, "no such order")

    def timeline(self, caller: Caller, order_id: str, *, after: int, limit: int) -> list[Entry]:
        """Events with an id above `after`, oldest first."""
        with self._store.read() as views:
            if not _sees(caller, views, order_id):
                raise NotFound("order_id", order_id, "no such order")
            return views.timeline(order_id, after=after, limit=limit)[1]

    def news(self, order_id: str, *, after: int, limit: int) -> tuple[State, list[Entry]]:
        """The state and the events since, for a caller who was let in by `check`."""
        with self._store.read() as views:
            state, entries = views.timeline(order_id, after=after, limit=limit)
        return State(state), entries

    def label(self, caller: Caller, order_id: str) -> bytes:
        """The shipping label as a PDF. Raises NotFound also while there is none yet."""
        with self._store.read() as views:
            found = views.label(order_id) if _sees(caller, views, order_id) else None
        if found is None:
            raise NotFound("order_id", order_id, "no such order, or it has no label")
        return found


def _sees(caller: Caller, views: Views, order_id: str) -> bool:
    owner = views.owner(order_id)
    return owner is not None and caller.may_see(owner)
