"""What sends the spans of a process: OpenTelemetry's batch processor and its exporter over OTLP/HTTP. Imported when tracing starts.

A collector that is away fails an export every second or two. The first failure is logged, and then one line a minute at most, with the
number of those that were left out.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from chassis.settings import ServiceSettings

EXPORT_SECONDS = 2.0
"""How long one batch may take while the process goes on."""

EVERY_MS = 1000
"""How often what ended is sent."""

QUIET_SECONDS = 60.0


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


def processor(settings: ServiceSettings) -> Any:
    """What takes spans that ended and sends them to the settings' endpoint."""
    exporter = trace_exporter.OTLPSpanExporter(
        endpoint=f"{str(settings.otel_exporter_otlp_endpoint).rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS
    )
    logger = logging.getLogger(trace_exporter.__name__)
    if not any(isinstance(one, OneAMinute) for one in logger.filters):
        logger.addFilter(OneAMinute())
    return BatchSpanProcessor(exporter, schedule_delay_millis=EVERY_MS)


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
