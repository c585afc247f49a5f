"""All that a task may ask of the orders: perform a step, send mails, keep house. Every call is one line in orders.tasks."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa

from chassis.outbox import Park, Work
from chassis.work import Observer, Runner
from orders.domain.saga import Step
from orders.usecases import follow, subject, upkeep
from orders.usecases.labels import Labels
from orders.usecases.mails import Mails
from orders.usecases.steps import Act, Steps
from orders.usecases.subject import order_of

# Between an order's last change and the suspicion that its command is missing: far more than a transaction takes.
_STRANDED_AFTER = timedelta(seconds=60)

StoreOf = Callable[[sa.Connection], upkeep.OverdueStore]


class Orders:
    """The use cases of the worker pools, over one database."""

    def __init__(
        self,
        engine: sa.Engine,
        store: StoreOf,
        steps: Steps,
        acts: Mapping[Step, Act],
        mails: Mails,
        labels: Labels,
        *,
        max_attempts: int,
        observer: Observer | None = None,
    ) -> None:
        self._engine = engine
        self._store = store
        self._steps = steps
        self._acts = acts
        self._mails = mails
        self._labels = labels
        self._runner = Runner(
            engine, max_attempts=max_attempts, on_parked=self._flag_parked, observer=observer, subject=subject.of
        )

    def perform(self, step: Step, ids: Sequence[int]) -> int:
        """Perform a step for the orders of these commands; how many commands got an outcome."""
        if step is Step.RESERVE_STOCK:
            return self._runner.run(ids, lambda conn, works: self._steps.reserve(self._store(conn), works))
        if step is Step.RELEASE_STOCK:
            return self._runner.run(ids, lambda conn, works: self._steps.release(self._store(conn), works))
        act = self._acts[step]
        return self._runner.run(ids, lambda conn, works: self._steps.perform(self._store(conn), step, works, act))

    def send_mails(self, ids: Sequence[int]) -> int:
        """Send the mails of these commands; how many commands got an outcome."""
        return self._runner.run(ids, lambda conn, works: self._mails.send(self._store(conn), works))

    def draw_labels(self, ids: Sequence[int]) -> int:
        """Draw the labels of these commands; how many commands got an outcome."""
        return self._runner.run(ids, lambda conn, works: self._labels.draw(self._store(conn), works))

    def expire_reservations(self) -> int:
        """Turn back orders whose reservation ran out; how many."""
        with self._engine.begin() as conn:
            store = self._store(conn)
            return upkeep.expire_reservations(store, store.now())

    def reconcile(self) -> int:
        """Give stranded orders their command back, and mark those with a parked one; how many were found."""
        with self._engine.begin() as conn:
            store = self._store(conn)
            stranded = upkeep.reconcile(store, store.now() - _STRANDED_AFTER)
            return len(stranded) + len(upkeep.notice_parked(store))

    def _flag_parked(self, conn: sa.Connection, parked: Mapping[Work, Park]) -> None:
        """A command put aside leaves its order waiting: say so where people look."""
        why = {
            order_of(w): f"{w.task} was parked as {p.reason}"
            for w, p in parked.items()
            if isinstance(w.body.get("order"), str)
        }
        store = self._store(conn)
        follow.attention(store, store.lock(list(why)), why)
