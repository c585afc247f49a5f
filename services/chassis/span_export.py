"""What sends the spans of a process: OpenTelemetry's batch processor and its exporter over OTLP/HTTP. Imported when tracing starts.

A collector that is away fails an export every second or two. The first failure is logged, and then one line a minute at most, with the
number of those that were left out. What becomes of each span is counted.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from chassis import metrics
from chassis.settings import ServiceSettings

EXPORT_SECONDS = 2.0
"""How long one batch may take while the process goes on."""

EVERY_MS = 1000
"""How often what ended is sent."""

QUIET_SECONDS = 60.0

MOST_WAITING = 2048
"""Spans that wait for the collector; a further one takes the place of the oldest. The SDK's own number."""

SPANS = metrics.define(
    metrics.Definition("chassis_spans", "counter", "Recorded spans by what became of them", ("outcome",))
)


class OneAMinute(logging.Filter):
    """Lets a line through that comes `QUIET_SECONDS` after the last one that it let through, with how many it held back meanwhile."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._silent_until = float("-inf")
        self._held_back = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        with self._lock:
            now = self._clock()
            if now < self._silent_until:
                self._held_back += 1
                return False
            self._silent_until = now + QUIET_SECONDS
            held_back, self._held_back = self._held_back, 0
        if held_back:
            record.msg, record.args = f"{record.getMessage()} ({held_back} more such lines before)", ()
        return True


class SpanCounts:
    """How many spans there were, and what became of them.

    Nobody is told which span a full queue let go of, and to look whether it is full before a span is put in is to be wrong when the sender
    takes some out meanwhile. So it follows from the others, told after each span was put in and by the only thread that takes them out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offered = self._taken_out = self._dropped = self._settled = 0
        self._over = False

    def offer(self) -> None:
        """One more was put in."""
        with self._lock:
            self._offered += 1

    def take_out(self, spans: int, waiting: Callable[[], int]) -> None:
        """These are sent now, and so many wait. What is put in meanwhile is counted the next time."""
        with self._lock:
            self._taken_out += spans
            self._drop(self._offered - self._taken_out - waiting() - self._dropped)

    def settle(self, outcome: str, spans: int) -> None:
        """The collector took these, or refused them."""
        with self._lock:
            if not self._over:
                self._settled += spans
                metrics.count(SPANS, outcome, by=spans)

    def end(self, unmade: int = 0) -> None:
        """Whatever has no outcome by now is lost, and so many that were never put in."""
        with self._lock:
            if not self._over:
                self._over = True
                self._drop(self._offered - self._settled - self._dropped + unmade)

    def _drop(self, spans: int) -> None:
        if spans > 0:
            self._dropped += spans
            metrics.count(SPANS, "dropped", by=spans)


class Exporter(trace_exporter.OTLPSpanExporter):
    """Counts what the collector takes, and what it does not. `waiting` says how many spans do."""

    waiting: Callable[[], int] = staticmethod(lambda: 0)

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)
        self.counts = SpanCounts()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch, and count it."""
        self.counts.take_out(len(spans), self.waiting)
        result = SpanExportResult.FAILURE
        try:
            result = super().export(spans)
        finally:
            self.counts.settle("sent" if result is SpanExportResult.SUCCESS else "refused", len(spans))
        return result


class Processor(BatchSpanProcessor):
    """Counts what nobody sends."""

    def __init__(self, exporter: Exporter) -> None:
        super().__init__(exporter, max_queue_size=MOST_WAITING, schedule_delay_millis=EVERY_MS)
        waiting = self._batch_processor._queue  # the SDK has no name for it
        exporter.waiting = lambda: len(waiting)
        self._counts = exporter.counts

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span; the oldest one makes room for it."""
        super().on_end(span)
        self._counts.offer()

    def abandon(self, unmade: int) -> None:
        """The process ends now: whatever was not sent is lost, and so many spans that were not made yet."""
        self._counts.end(unmade)


def processor(settings: ServiceSettings) -> Processor:
    """What takes spans that ended and sends them to the settings' endpoint."""
    exporter = Exporter(
        endpoint=f"{str(settings.otel_exporter_otlp_endpoint).rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS
    )
    logger = logging.getLogger(trace_exporter.__name__)
    if not any(isinstance(one, OneAMinute) for one in logger.filters):
        logger.addFilter(OneAMinute())
    return Processor(exporter)


def resource(settings: ServiceSettings, service: str) -> Any:
    """Who sends them."""
    return Resource.create(
        {
            "service.name": service,
            "service.version": settings.service_version,
            "service.instance.id": f"{settings.process_name}-{os.getpid()}",
            "pool": settings.pool,
        }
    )
