"""What counting and tracing do while something is done: the lines of theirs that run, and the memory that they hold. No clock is read.

Python allocates for nearly every line that runs, and gives most of it back at once; nothing counts that. So that watching allocates
nothing for an event is told by its lines: none of them runs because there was one event more.
"""

import gc
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import opentelemetry.trace
import prometheus_client

from chassis import batch_traces, metrics, sending, span_export, spans, traceparent, tracing
from chassis.http import metrics as http_metrics

MODULES = (batch_traces, http_metrics, metrics, sending, span_export, spans, traceparent, tracing)
FILES = tuple(str(module.__file__) for module in MODULES)
FOLDERS = (str(Path(prometheus_client.__file__).parent), str(Path(opentelemetry.trace.__file__).parents[1]))


def lines_run(work: Callable[[], object], *functions: Any) -> Counter[str]:
    """By function of what counts and traces, and of `functions` as well, how many of its lines `work` runs, each as often as it runs; of
    libraries how often it is called, because a histogram looks for its bucket line by line. Of threads those that begin meanwhile."""
    found: Counter[str] = Counter()
    codes = {function.__code__ for function in functions}

    def line(frame: Any, event: str, _: Any) -> Any:
        found[frame.f_code.co_qualname] += event == "line"
        return line

    def call(frame: Any, *_: Any) -> Any:
        code = frame.f_code
        found[code.co_qualname] += code.co_filename.startswith(FOLDERS)
        return line if code in codes or code.co_filename in FILES else None

    before, of_threads = sys.gettrace(), threading.gettrace()
    threading.settrace(call)
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
        threading.settrace(of_threads)
    return +found


def blocks_held(work: Callable[[Callable[[], None]], object]) -> list[int]:
    """How many blocks of memory that were allocated by what counts and traces are alive whenever `work` calls what it is given."""
    filters = [tracemalloc.Filter(True, name) for name in (*FILES, *(f"{folder}/*" for folder in FOLDERS))]
    found: list[int] = []

    def look() -> None:
        kept = tracemalloc.take_snapshot().filter_traces(filters)
        found.append(sum(statistic.count for statistic in kept.statistics("filename")))

    tracemalloc.start()
    try:
        work(look)
    finally:
        tracemalloc.stop()
    return found


def blocks_left(work: Callable[[], object]) -> int:
    """By how many allocated blocks, of anybody, there are more after `work` than before it."""
    gc.collect()
    before = sys.getallocatedblocks()
    work()
    gc.collect()
    return sys.getallocatedblocks() - before
