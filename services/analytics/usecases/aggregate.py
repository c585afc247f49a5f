"""Adds windows of batches to the counters, each part once. Called by the chassis' batch consumer."""

from collections.abc import Callable, Sequence

from analytics.domain import batch
from analytics.domain.batch import Batch
from analytics.domain.counting import Growth, count
from analytics.domain.errors import BatchRefused
from analytics.ports.counters import CounterStore
from chassis import metrics
from chassis.errors import Permanent

VISIBLE = metrics.define(
    metrics.Definition(
        "analytics_visible_seconds",
        "histogram",
        "From the publication of a batch by the edge until its events are in the counters",
        buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
    )
)

EVENTS = metrics.define(
    metrics.Definition(
        "analytics_events",
        "counter",
        "Events that were counted, by how their time relates to their arrival",
        ("timing",),
    )
)


class Aggregate:
    """A `chassis.batch_consumer.BatchHandler`."""

    def __init__(
        self,
        store: CounterStore,
        *,
        oldest_ms: int,
        clock_ms: Callable[[], int],
        observers: Sequence[Callable[[Growth], None]] = (),
    ) -> None:
        """A batch that was published more than `oldest_ms` ago is refused, because ids of its parts may be forgotten by now.

        Each of `observers` is told what was counted, after it was. They must not fail or wait.
        """
        self._observers = observers
        self._store = store
        self._oldest_ms = oldest_ms
        self._clock_ms = clock_ms

    def read(self, body: bytes) -> Batch:
        """The batch in a message. Raises Permanent."""
        try:
            return batch.decode(body)
        except BatchRefused as error:
            raise Permanent(str(error)) from error

    def apply(self, batches: Sequence[Batch]) -> None:
        """Count the batches, without parts that are counted already. Raises Transient when the store fails, Permanent for an old batch."""
        now_ms = self._clock_ms()
        for one in batches:
            if one.published_ms < now_ms - self._oldest_ms:
                age = (now_ms - one.published_ms) / 3_600_000
                raise Permanent(
                    f"the batch is {age:.1f} h old, and parts are told apart for {self._oldest_ms / 3_600_000:.1f} h"
                )
        known: frozenset[bytes] = frozenset()
        while True:
            growth = count(batches, known)
            if not growth.parts:
                return
            found = self._store.add(growth)
            if not found:
                self._measure(batches, growth)
                for observe in self._observers:
                    observe(growth)
                return
            known |= found

    def _measure(self, batches: Sequence[Batch], growth: Growth) -> None:
        now_ms = self._clock_ms()
        for one in batches:
            metrics.observe(VISIBLE, max(0, now_ms - one.published_ms) / 1000)
        apart = growth.apart_sums()
        apart.pop("refused", None)  # they are no events that were counted
        for timing, events in {**apart, "on_time": growth.events - apart.total()}.items():
            metrics.count(EVENTS, timing, by=events)

    def ping(self) -> None:
        """Ask the store. Raises Transient when it does not answer."""
        self._store.ping()
