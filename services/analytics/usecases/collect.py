"""Collects parts of requests into batches, publishes them, and tells each request when its events are safe with the broker.

Everything runs in one event loop; only publishing is done by threads. Memory is bounded: events that are not confirmed are counted, and
a request that would exceed the limit is refused at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from analytics.domain.batch import columnise, encode
from analytics.domain.events import Timing, backfill_timing, timing
from analytics.domain.parts import Part, shard_of
from analytics.domain.user_rate import UserRate
from analytics.ports.counters import BatchSink
from chassis import tracing
from chassis.tracing import Span


class Overloaded(Exception):
    """The events were not taken, or are not known to be safe. The client is to repeat its request with the same key."""

    retry_after_seconds = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """How the collector behaves; each is a setting of the same name."""

    batch_events: int
    linger_seconds: float
    buffer_events: int
    answer_seconds: float
    late_ms: int
    future_ms: int
    user_events_per_minute: int
    backfill: bool = False
    """Whether events may be of any age; `late_ms` means nothing then."""


class Collector:
    """Makes batches of what all requests of a process send to one shard."""

    def __init__(
        self, sink: BatchSink, limits: Limits, *, clock_ms: Callable[[], int], rate: UserRate | None = None
    ) -> None:
        """`rate` counts what each user sends, and is that of the whole process."""
        self._sink = sink
        self._limits = limits
        self._clock_ms = clock_ms
        self._rate = rate
        self._parts: list[Part] = []
        self._requests: list[Span] = []
        self._events = 0
        self._confirmed: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.buffered = 0
        """Events that are not confirmed."""
        self.accepted_ms = 0
        """When the newest batch that is confirmed was published; 0 before the first."""

    def check(self, events: int) -> None:
        """Raise Overloaded when so many more events cannot be taken now."""
        if self.buffered and self.buffered + events > self._limits.buffer_events:
            raise Overloaded(f"{self.buffered} events wait for the broker, at most {self._limits.buffer_events} may")
        waiting = self._sink.waiting_seconds()
        if waiting > self._limits.answer_seconds:
            raise Overloaded(f"the broker has not confirmed a batch for {waiting:.1f} s")

    def put(self, part: Part) -> "asyncio.Future[None]":
        """Take a part. The future ends once the broker has confirmed it, and raises Overloaded when it did not; all parts of a batch have
        the same one."""
        loop = asyncio.get_running_loop()
        if self._confirmed is None:
            self._confirmed = loop.create_future()
            # Nobody may be left to wait for it.
            self._confirmed.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._timer = loop.call_later(self._limits.linger_seconds, self.flush)
        confirmed = self._confirmed
        self._parts.append(part)
        request = tracing.current()
        if request is not None and (not self._requests or self._requests[-1] is not request):
            self._requests.append(request)
        self._events += len(part.events)
        self.buffered += len(part.events)
        if self._events >= self._limits.batch_events:
            self.flush()
        return confirmed

    def flush(self) -> None:
        """Publish what was collected so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._confirmed is None:
            return
        parts, requests, events, confirmed = self._parts, self._requests, self._events, self._confirmed
        self._parts, self._requests, self._events, self._confirmed = [], [], 0, None
        now_ms, limits = self._clock_ms(), self._limits
        over = self._rate.over(chain.from_iterable(part.events for part in parts), now_ms) if self._rate else {}

        def timing_of(at_ms: int) -> Timing:
            if limits.backfill:
                return backfill_timing(at_ms, now_ms, future_ms=limits.future_ms)
            return timing(at_ms, now_ms, late_ms=limits.late_ms, future_ms=limits.future_ms)

        batch = columnise(parts, now_ms, timing_of, over)
        published = asyncio.wrap_future(self._sink.publish(encode(batch), requests))
        published.add_done_callback(lambda done: self._settle(done, now_ms, events, confirmed))

    async def close(self) -> None:
        """Publish the rest and end."""
        self.flush()
        await asyncio.to_thread(self._sink.close)

    def _settle(
        self, published: "asyncio.Future[None]", published_ms: int, events: int, confirmed: "asyncio.Future[None]"
    ) -> None:
        self.buffered -= events
        error = asyncio.CancelledError() if published.cancelled() else published.exception()
        if error is None:
            self.accepted_ms = max(self.accepted_ms, published_ms)
        if confirmed.done():
            return
        if error is None:
            confirmed.set_result(None)
        else:
            confirmed.set_exception(Overloaded(f"the broker did not take a batch: {error}"))


class Collectors:
    """A collector for each shard, and the door to all of them."""

    def __init__(self, sinks: Sequence[BatchSink], limits: Limits, *, clock_ms: Callable[[], int]) -> None:
        """`sinks` are where the batches of each shard are published; the limits are those of one shard."""
        rate = UserRate(limits.user_events_per_minute) if limits.user_events_per_minute else None
        self.shards = [Collector(sink, limits, clock_ms=clock_ms, rate=rate) for sink in sinks]
        self._answer_seconds = limits.answer_seconds

    def check(self) -> None:
        """Raise Overloaded when no shard can take anything now."""
        refusals = []
        for shard in self.shards:
            try:
                shard.check(0)
            except Overloaded as error:
                refusals.append(error)
        if len(refusals) == len(self.shards):
            raise refusals[0]

    async def add(self, parts: Sequence[Part]) -> None:
        """Return once all events of `parts` are confirmed by the broker. Raises Overloaded; they may be counted all the same."""
        of_shard = [shard_of(part.id, len(self.shards)) for part in parts]
        for number, shard in enumerate(self.shards):
            if number in of_shard:
                shard.check(sum(len(part.events) for part, of in zip(parts, of_shard, strict=True) if of == number))
        waited = {self.shards[of].put(part) for part, of in zip(parts, of_shard, strict=True)}
        try:
            async with asyncio.timeout(self._answer_seconds):
                await asyncio.gather(*map(asyncio.shield, waited))
        except TimeoutError:
            raise Overloaded(f"the broker did not confirm within {self._answer_seconds:g} s") from None

    async def close(self) -> None:
        """Publish the rest and end."""
        for shard in self.shards:
            await shard.close()
