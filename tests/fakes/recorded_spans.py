"""Spans that are kept in memory instead of being sent."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import tracing


def trace_into(monkeypatch: pytest.MonkeyPatch, sink: Any) -> None:
    """Hand every span of every trace to the sink's `on_end`."""
    monkeypatch.setattr(tracing, "_sink", sink)
    monkeypatch.setattr(tracing, "_resource", Resource.create({}))
    monkeypatch.setattr(tracing, "_ratio", 1.0)


def recorded_spans(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Sequence[ReadableSpan]]:
    """Trace into memory, every trace; what was recorded so far, by its beginning."""
    exporter = InMemorySpanExporter()
    trace_into(monkeypatch, SimpleSpanProcessor(exporter))
    return lambda: tuple(sorted(exporter.get_finished_spans(), key=lambda span: span.start_time or 0))
