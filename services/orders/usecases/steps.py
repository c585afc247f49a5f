"""Perform steps of the saga, a batch at a time: read, act on the outside, then lock, advance and write, in one transaction.

The effect comes between reading and locking, so an order is never locked while the outside is waited for: a cancellation gets in, and
is seen when the outcome is recorded. What may happen twice: the effect, never its record; so each carries a key made of order and step.
"""

import contextvars
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from chassis import metrics, subject_traces, tracing
from chassis.errors import CircuitOpen, Permanent, Transient
from chassis.loggers import get_logger
from chassis.outbox import Done, Outcome, Park, Retry, Work
from chassis.personal import cleaned, scrub
from chassis.retries import backoff
from orders.domain.order import Order, pieces
from orders.domain.saga import Result, Saga, Step, Stock, concluded
from orders.ports import Change, Event, OrderStore, UnknownOutcome
from orders.usecases import follow, subject
from orders.usecases.subject import order_of

log = get_logger(__name__)

DECIDED = metrics.define(
    metrics.Definition(
        "orders_decided_seconds",
        "histogram",
        "From the acceptance of an order until it was paid or refused",
        ("outcome",),
        (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
    )
)

_DECISIONS = {
    (Step.TAKE_PAYMENT, Result.DONE): "paid",
    (Step.ASK_PAYMENT, Result.DONE): "paid",
    (Step.TAKE_PAYMENT, Result.REFUSED): "refused",
    (Step.ASK_PAYMENT, Result.REFUSED): "refused",
    (Step.RESERVE_STOCK, Result.REFUSED): "refused",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How one step ended, and what it brought. A tracking number without a label is recorded, and its label drawn later."""

    result: Result
    reason: str | None = None
    tracking_number: str | None = None
    label: bytes | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


# What one step does to the outside for one order. Raises Transient, UnknownOutcome or Permanent.
Act = Callable[[Order, Work], Ended]


def measure_decisions(
    step: Step, ended: Mapping[str, Ended], orders: Mapping[str, Order], since_read_seconds: float
) -> None:
    """Count how long after its acceptance each order was paid, or refused for want of stock or money."""
    for order_id, end in ended.items():
        outcome = _DECISIONS.get((step, end.result))
        age_seconds = orders[order_id].age_seconds
        if outcome is not None and age_seconds is not None:
            metrics.observe(DECIDED, age_seconds + since_read_seconds, outcome)


class Steps:
    """The steps' shared course; the acts are in orders.usecases.acts."""

    def __init__(self, *, parallel: int, budget_seconds: float, attention_after_failures: int) -> None:
        """At most `parallel` acts at a time; after `budget_seconds` no further act of a batch begins."""
        # Its threads start with the first batch, so after a fork, and stay: starting them anew costs more than a small batch.
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="act")
        self._budget_seconds = budget_seconds
        self._attention_after = attention_after_failures

    def perform(self, store: OrderStore, step: Step, works: Sequence[Work], act: Act) -> dict[int, Outcome]:
        """Perform `step` for every command; the outcome of each, by command id."""
        by_order = {order_of(work): work for work in works}
        orders = store.orders(list(by_order))
        read = time.monotonic()
        wanted = [orders[i] for i in by_order if i in orders and orders[i].saga.open is step]
        ended, outcomes = self._act(wanted, by_order, act)
        self._conclude(store, step, by_order, ended)
        measure_decisions(step, ended, orders, time.monotonic() - read)
        self._flag(store, step, by_order, {order.id: order for order in wanted}, outcomes)
        return {work.id: outcomes.get(order_id, Done()) for order_id, work in by_order.items()}

    def reserve(self, store: OrderStore, works: Sequence[Work]) -> dict[int, Outcome]:
        """Hold the goods; the one step whose effect is in our own database, so it is part of the record."""
        by_order = {order_of(work): work for work in works}
        orders = store.orders(list(by_order))
        locked = store.lock(list(by_order))
        asking = [i for i, saga in locked.items() if saga.open is Step.RESERVE_STOCK]
        skipped = {i: Ended(Result.SKIPPED) for i in asking if locked[i].stop is not None}
        refused = store.reserve({i: pieces(orders[i].lines) for i in asking if i not in skipped})
        ended = {i: Ended(Result.REFUSED, refused[i]) if i in refused else Ended(Result.DONE) for i in asking}
        self._conclude(store, Step.RESERVE_STOCK, by_order, {**ended, **skipped}, locked)
        measure_decisions(Step.RESERVE_STOCK, ended, orders, 0.0)
        return {work.id: Done() for work in works}

    def release(self, store: OrderStore, works: Sequence[Work]) -> dict[int, Outcome]:
        """Give the goods back; like `reserve`, part of the record."""
        by_order = {order_of(work): work for work in works}
        self._conclude(store, Step.RELEASE_STOCK, by_order, {i: Ended(Result.DONE) for i in by_order})
        return {work.id: Done() for work in works}

    def _act(
        self, orders: Sequence[Order], by_order: Mapping[str, Work], act: Act
    ) -> tuple[dict[str, Ended], dict[str, Outcome]]:
        until = time.monotonic() + self._budget_seconds

        def one(order: Order) -> Ended | Outcome:
            work = by_order[order.id]
            if time.monotonic() > until:
                return Retry(0.0, "the batch ran out of time", counts=False, reason="out_of_time")
            with subject.working_for(work, order):
                try:
                    end = act(order, work)
                    # Here the words of the outside are known to be about this customer; where they are written down they are not.
                    return replace(end, reason=end.reason and scrub(end.reason), detail=cleaned(end.detail))
                except CircuitOpen as error:
                    after_seconds = error.retry_after_seconds or backoff(0)
                    return Retry(after_seconds, scrub(str(error)), counts=False, reason="circuit_open")
                except UnknownOutcome as error:
                    why = tracing.why(work.span, error)
                    return Retry(backoff(work.failures), why, begun=True, reason="unknown_outcome")
                except Transient as error:
                    return Retry(error.retry_after_seconds or backoff(work.failures), tracing.why(work.span, error))
                except Permanent as error:
                    return Park("permanent", tracing.why(work.span, error))

        if len(orders) > 1:
            results = self._side_by_side(one, orders)
        else:
            results = [one(order) for order in orders]
        pairs = list(zip(orders, results, strict=True))
        ended = {order.id: result for order, result in pairs if isinstance(result, Ended)}
        return ended, {order.id: result for order, result in pairs if not isinstance(result, Ended)}

    def _side_by_side(self, one: Callable[[Order], Ended | Outcome], orders: Sequence[Order]) -> list[Ended | Outcome]:
        # Each in a context of its own, in which log lines and spans know their task and their order.
        begun = [self._threads.submit(contextvars.copy_context().run, one, order) for order in orders]
        try:
            return [act.result() for act in begun]
        finally:
            # A batch that is cut short ends with none of its acts still running: its rows are about to be let go of.
            for act in begun:
                act.cancel()
            wait(begun)

    def _conclude(
        self,
        store: OrderStore,
        step: Step,
        by_order: Mapping[str, Work],
        ended: Mapping[str, Ended],
        locked: Mapping[str, Saga] | None = None,
    ) -> None:
        if not ended:
            return
        sagas = store.lock(list(ended)) if locked is None else locked
        changes: list[Change] = []
        events: list[Event] = []
        commands = []
        moved: dict[Stock, list[str]] = {Stock.RELEASED: [], Stock.SHIPPED: []}
        for order_id, end in ended.items():
            if (before := sagas.get(order_id)) is None:
                continue
            if (advance := concluded(before, step, end.result, end.reason)) is None:
                continue
            if end.result is not Result.DONE:
                subject.tell(by_order[order_id], step, end.result, end.reason or "")
            after = advance.saga
            span = by_order[order_id].span
            went_wrong = span is not None and span.recorded and not subject_traces.is_recorded(order_id)
            changes.append(Change(order_id, after, tracking_number=end.tracking_number, went_wrong=went_wrong))
            events.append(follow.event(order_id, f"{step}.{end.result}", after, **end.detail))
            events += follow.refused_cancel(order_id, advance)
            commands += follow.commands(order_id, advance, by_order[order_id].onward)
            if end.tracking_number and not end.label:
                commands.append(follow.label_command(order_id, by_order[order_id].onward))
            if before.stock is Stock.HELD and after.stock in moved:
                moved[after.stock].append(order_id)
        store.save(changes)
        store.release(moved[Stock.RELEASED])
        store.ship(moved[Stock.SHIPPED])
        store.keep_labels({i: (e.tracking_number, e.label) for i, e in ended.items() if e.tracking_number and e.label})
        store.put(commands)
        store.note(events)

    def _flag(
        self,
        store: OrderStore,
        step: Step,
        by_order: Mapping[str, Work],
        orders: Mapping[str, Order],
        outcomes: Mapping[str, Outcome],
    ) -> None:
        """Mark orders whose compensation keeps failing, or of which nobody can tell how it ended; the next change of the order
        takes the mark away."""
        stuck = {
            order_id: outcome.why
            for order_id, outcome in outcomes.items()
            if isinstance(outcome, Retry)
            and outcome.counts
            # Money or goods hang on these; what nobody can tell may be an answer that nobody will ever read.
            and (step.compensation or step is Step.ASK_PAYMENT or outcome.begun)
            and by_order[order_id].failures + 1 >= self._attention_after
            and orders[order_id].needs_attention is None
        }
        if not stuck:
            return
        sagas = store.lock(list(stuck))
        notes = {order_id: f"{step} keeps failing: {why}" for order_id, why in stuck.items()}
        follow.attention(store, {i: sagas[i] for i in stuck}, notes)
        log.error("needs_attention", step=step, orders=len(stuck))
