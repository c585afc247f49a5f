"""Draw shipping labels. What may happen twice: a drawing, whose bytes are the same; the first one is kept.

The label is drawn along with the booking of its parcel, because that costs least, but never at the booking's risk: a drawing that fails,
or that killed its worker, is left to a command of its own. The parcel is on record by then, and goes its way without it.
"""

from collections.abc import Sequence

from chassis.errors import Permanent
from chassis.loggers import get_logger
from chassis.outbox import Done, Outcome, Park, Work
from orders.domain.order import Order
from orders.ports import LabelPrinter, OrderStore
from orders.usecases.subject import order_of

log = get_logger(__name__)


def drawn(printer: LabelPrinter, order: Order, tracking_number: str) -> bytes:
    """The label of an order's parcel. Raises Permanent when it cannot be drawn."""
    to = order.customer
    return printer.label(order_id=order.id, tracking_number=tracking_number, name=to.name, address=dict(to.address))


def drawn_along(printer: LabelPrinter, order: Order, tracking_number: str) -> bytes | None:
    """The label, or None when anything goes wrong with it: what it is drawn from is yet to be recorded."""
    try:
        return drawn(printer, order, tracking_number)
    except Exception as error:  # noqa: BLE001 - the parcel is booked, whatever becomes of its label
        log.warning("label_left_for_later", order_id=order.id, error=repr(error))
        return None


class Labels:
    """Draws the labels that are missing."""

    def __init__(self, printer: LabelPrinter) -> None:
        self._printer = printer

    def draw(self, store: OrderStore, works: Sequence[Work]) -> dict[int, Outcome]:
        """Draw and keep the label of each command's order; the outcome of each, by command id."""
        by_order = {order_of(work): work for work in works}
        orders = store.orders(list(by_order))
        labels: dict[str, tuple[str, bytes]] = {}
        outcomes: dict[int, Outcome] = {}
        for order_id, work in by_order.items():
            try:
                labels[order_id] = self._label(order_id, orders.get(order_id))
                outcomes[work.id] = Done()
            except Permanent as error:
                outcomes[work.id] = Park("permanent", str(error))
        store.keep_labels(labels)
        return outcomes

    def _label(self, order_id: str, order: Order | None) -> tuple[str, bytes]:
        if order is None or order.tracking_number is None:
            raise Permanent(f"order {order_id!r} does not exist, or has no parcel")
        return order.tracking_number, drawn(self._printer, order, order.tracking_number)
