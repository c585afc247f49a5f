"""Send the mails owed. What may happen twice: a mail, when the worker dies between the server's last word and our record of it."""

import time
from collections.abc import Callable, Sequence

from chassis import tracing
from chassis.errors import CircuitOpen, Permanent, Transient
from chassis.outbox import Done, Outcome, Park, Retry, Work
from chassis.personal import scrub
from chassis.retries import backoff
from orders.domain.order import Order
from orders.domain.saga import MailKind
from orders.ports import Mail, Mailer, MailLog, OrderStore
from orders.usecases import subject
from orders.usecases.subject import order_of


class Mails:
    """Sends mails in order, one at a time: a mail server takes one dialogue a connection, and a death then repeats one mail at most."""

    def __init__(
        self,
        mailer: Mailer,
        log: MailLog,
        *,
        domain: str,
        budget_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`domain` is the right side of every Message-ID; after `budget_seconds` no further mail of a batch is begun."""
        self._mailer = mailer
        self._log = log
        self._domain = domain
        self._budget_seconds = budget_seconds
        self._clock = clock

    def send(self, store: OrderStore, works: Sequence[Work]) -> dict[int, Outcome]:
        """Send each mail unless it is recorded as sent; the outcome of each command, by its id."""
        wanted = {work.id: (order_of(work), _kind(work)) for work in works}
        sent = store.mailed(list(wanted.values()))
        orders = store.orders(sorted({order_id for order_id, _ in wanted.values()}))
        until = self._clock() + self._budget_seconds
        return {
            work.id: Done()
            if wanted[work.id] in sent
            # A mail that is cut short by the soft time limit was perhaps taken, and comes twice.
            else Retry(0.0, "the batch ran out of time", counts=False, reason="out_of_time")
            if self._clock() > until
            else self._one(orders.get(wanted[work.id][0]), wanted[work.id][1], work)
            for work in works
        }

    def _one(self, order: Order | None, kind: str, work: Work) -> Outcome:
        if order is None:
            return Park("permanent", f"order {work.body['order']!r} does not exist")
        mail = Mail(
            message_id=f"<{kind}.{order.id}@{self._domain}>",
            order_id=order.id,
            kind=kind,
            to=order.customer.email,
            name=order.customer.name,
            detail={
                "order_id": order.id,
                "total_minor": order.total_minor,
                "currency": order.currency,
                "lines": [(line.quantity, line.sku, line.amount_minor) for line in order.lines],
                "tracking_number": order.tracking_number,
                "reason": order.saga.reason,
            },
        )
        with subject.working_for(work, order):
            try:
                with self._log.recording(mail):
                    self._mailer.send(mail)
            except CircuitOpen as error:
                after_seconds = error.retry_after_seconds or backoff(0)
                return Retry(after_seconds, scrub(str(error)), counts=False, reason="circuit_open")
            except Transient as error:
                return Retry(error.retry_after_seconds or backoff(work.failures), tracing.why(work.span, error))
            except Permanent as error:
                return Park("permanent", tracing.why(work.span, error))
        return Done()


def _kind(work: Work) -> str:
    try:
        return MailKind(work.body.get("kind", ""))
    except ValueError:
        raise Permanent(f"command {work.key}: no mail of kind {work.body.get('kind')!r}") from None
