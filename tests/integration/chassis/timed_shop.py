"""The shop, which writes down what tracing costs each task of one kind, and the end of a process (µs).

Written down is how long the task was held up: the time on the clock without that in which its thread could have run and the machine gave it
no processor. A lock that a sender of spans holds, or a wait for a collector, is in it; what else the machine does is not.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from shop import act, app

from chassis import instruments, tracing
from chassis.tracing import Kind

TASK = "shop.traced"
"""Each has three spans: its own, a step, and a call."""


@cache
def _schedule(_pid: int) -> int:
    return os.open("/proc/thread-self/schedstat", os.O_RDONLY)


def held_us() -> float:
    """A clock that stands still while this thread waits for a processor."""
    waited_ns = 0
    with suppress(OSError):
        waited_ns = int(os.pread(_schedule(os.getpid()), 100, 0).split()[1])
    return (time.perf_counter_ns() - waited_ns) / 1000


_cost = 0.0


def _timed(call: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        global _cost
        began = held_us()
        try:
            return call(*args, **kwargs)
        finally:
            _cost += held_us() - began

    return timed


@app.task(name=TASK)
def traced() -> None:
    """A step with a call."""
    _spans()


@_timed
def _spans() -> None:
    with tracing.span("a step", order__id="1"), tracing.span("POST /charges", Kind.CLIENT) as call:
        if call is not None:
            call.set(http__response__status_code=200)


_begin, _end, _stop = instruments.Watch.begin, instruments.Watch.end, tracing.stop


def begin(self: instruments.Watch, **told: Any) -> None:
    """As the shop's, and from here on it is this task that costs."""
    global _cost
    _cost = 0.0
    _timed(_begin)(self, **told)


def end(self: instruments.Watch, *, task: Any, **told: Any) -> None:
    """As the shop's, and says what it cost."""
    _timed(_end)(self, task=task, **told)
    if task.name == TASK:
        act(f"cost {_cost:.0f}")


def stop() -> None:
    """As the shop's, and says how long the process was held up by it."""
    began = held_us()
    _stop()
    act(f"stopped {held_us() - began:.0f}")


instruments.Watch.begin = begin
instruments.Watch.end = end
tracing.stop = stop
