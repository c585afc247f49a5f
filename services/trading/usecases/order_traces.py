"""The spans of orders, made from the journal after its inputs were applied to the positions: neither engine nor gateway knows of them.

    engine INPUT            the engine took an input that concerns the order; the one that makes the order begins the order's own trace
    wait trading.portfolio  from then until the portfolio pool had the record: journal, tail, broker
    apply INPUT             what the record changed is in the positions

An input that concerns an order later has a trace of its own, linked with the order's. When the engine took an input is known by the time
that the journal tells before it, which is at most 5 ms old. Every n-th order has spans, where about one in n traces is recorded; of one
window `MOST_STEPS` inputs are told of, and its own span says when it left some out.
"""

import bisect
import heapq
import itertools
import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from chassis import traceparent, tracing
from chassis.traceparent import Context
from chassis.tracing import Kind, Span
from trading.adapters.journal.batch import SLOT
from trading.domain.terms import Input, Outcome
from trading.queues import PORTFOLIO

ORDER_AT = 13
"""Where every outcome that names an order has its id, in 8 bytes; adapters.layouts has the layouts."""
TIME_AT = slice(1, 9)
NAMING = frozenset(
    int(kind)
    for kind in (
        Outcome.ACKNOWLEDGED,
        Outcome.EXECUTED,
        Outcome.CANCELLED,
        Outcome.EXPIRED,
        Outcome.REPLACED,
        Outcome.STOP_TRIGGERED,
    )
)
NEW, TIME, REFUSED = int(Input.NEW), int(Input.TIME), int(Outcome.REFUSED)

MOST_STEPS = 64
"""Of one window. A step is three spans of 0.2 ms each, and the next window waits meanwhile."""

_NAMES = bytes(kind in NAMING for kind in range(256))
_DIVIDES = {2**bits - 1: bytes(not byte & (2**bits - 1) for byte in range(256)) for bits in range(9)}

CHUNK = 256
"""Records that are looked at together; the rest waits until somebody asks for more steps."""

_ORDERS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:trading:order")


@dataclass(frozen=True, slots=True)
class Step:
    """An input that concerns an order: its sequence number and kind, when the engine took it (µs), and what came of it for the order."""

    order_id: int
    sequence: int
    input: int
    at_us: int
    outcomes: tuple[int, ...]


def own_trace(shard: int, order_id: int) -> Context:
    """The first span of the order's own trace. Whoever knows shard and order can link to it."""
    number = uuid.uuid5(_ORDERS, f"{shard}/{order_id}").int
    return Context(number, number & (2**64 - 1) or 1, True)


def concerns(shard: int, order_id: int) -> None:
    """The current request concerns this order: it is linked with the order's trace, and recorded when that is."""
    span = tracing.current()
    if span is None:
        return
    span.attributes["order.id"] = str(order_id)
    if _chosen(order_id, stride()):
        span.link(own_trace(shard, order_id))
        span.context = replace(span.context, sampled=True)


def steps(first: int, records: Sequence[bytes], now_us: int, stride: int) -> Iterator[Step]:
    """What in these records of a journal, the first with sequence number `first`, concerns every `stride`-th order, a power of two.

    `now_us` is the engine's time before them. Records are looked at together, a byte of each slot at a time; those that may count are
    looked at one by one.
    """
    low = min(stride, 256) - 1
    for begin in range(0, len(records), CHUNK):
        chunk = records[begin : begin + CHUNK]
        slots = b"".join(chunk)
        kinds = slots[::SLOT]
        ends = list(itertools.accumulate(map(len, chunk)))
        times = [bisect.bisect(ends, at * SLOT) for at in _places(kinds, TIME)]
        for number in _merged(range(-(first + begin) % stride, len(chunk), stride), _naming(slots, kinds, low, ends)):
            while times and times[0] <= number:
                now_us = _time(chunk[times.pop(0)], now_us)
            for order_id, outcomes in _concerned(first + begin + number, chunk[number], low, stride):
                yield Step(order_id, first + begin + number, chunk[number][0], now_us, tuple(outcomes) or (REFUSED,))
        for number in times:
            now_us = _time(chunk[number], now_us)


def _merged(*sorted_numbers: Iterable[int]) -> Iterator[int]:
    """Each number once."""
    return (number for number, _ in itertools.groupby(heapq.merge(*sorted_numbers)))


def _naming(slots: bytes, kinds: bytes, low: int, ends: Sequence[int]) -> Iterator[int]:
    """The records with a slot whose kind may name an order, and whose byte may be the lowest of the id of one that is told of."""
    divides = slots[ORDER_AT::SLOT].translate(_DIVIDES[low])
    both = int.from_bytes(kinds.translate(_NAMES), "little") & int.from_bytes(divides, "little")
    return (bisect.bisect(ends, at * SLOT) for at in _places(both.to_bytes(len(kinds), "little"), 1))


def _places(among: bytes, wanted: int) -> Iterator[int]:
    at = among.find(wanted)
    while at >= 0:
        yield at
        at = among.find(wanted, at + 1)


def _time(record: bytes, before_us: int) -> int:
    """The engine's time after an input that tells it, unless that was refused."""
    refused = len(record) > SLOT and record[SLOT] == REFUSED
    return before_us if refused else int.from_bytes(record[TIME_AT], "little")


def _concerned(sequence: int, record: bytes, low: int, stride: int) -> Iterable[tuple[int, list[int]]]:
    """Each of the orders that are told of and that this record concerns, with what came of it for the order."""
    if record[0] == TIME:
        return ()
    found: dict[int, list[int]] = {sequence: []} if record[0] == NEW and not sequence % stride else {}
    for at in range(SLOT, len(record), SLOT):
        if record[at + ORDER_AT] & low or record[at] not in NAMING:
            continue
        order_id = int.from_bytes(record[at + ORDER_AT : at + ORDER_AT + 8], "little")
        if not order_id % stride:
            found.setdefault(order_id, []).append(record[at])
    return found.items()


def stride() -> int:
    """Every how many-th order is told of: the power of two next to the share of traces that is recorded; 0 for none."""
    every = tracing.stride()
    return 1 << round(math.log2(every)) if every else 0


def tell(shard: int, first: int, records: Sequence[bytes], now_us: int, began: int, ended: int) -> None:
    """Records are applied: they were taken up at `began`, and committed at `ended` (ns since the epoch)."""
    every = stride()
    if not every:
        return
    window = tracing.current()
    found = steps(first, records, now_us, every)
    for step in itertools.islice(found, MOST_STEPS):
        _tell(shard, step, began, ended, window)
    if window is not None and next(found, None) is not None:
        window.attributes["orders.left_out"] = True


def _tell(shard: int, step: Step, began: int, ended: int, window: Span | None) -> None:
    order = own_trace(shard, step.order_id)
    makes = step.input == NEW and step.order_id == step.sequence
    name = Input(step.input).name.lower()
    at = min(step.at_us * 1000, began)
    engine = Span(f"engine {name}", Kind.INTERNAL, order if makes else _another(), None, None, at)
    if not makes:
        engine.link(order)
        if step.input == NEW:
            engine.link(own_trace(shard, step.sequence))
    wait = Span(f"wait {PORTFOLIO}", Kind.INTERNAL, _below(engine), engine.context, None, at)
    apply = Span(f"apply {name}", Kind.CONSUMER, _below(engine), engine.context, None, began)
    if window is not None:
        apply.link(window.context)
        window.context = replace(window.context, sampled=True)
    engine.attributes["outcome"] = ",".join(Outcome(kind).name.lower() for kind in dict.fromkeys(step.outcomes))
    for span, end in ((engine, at), (wait, began), (apply, ended)):
        span.attributes |= {"order.id": str(step.order_id), "shard": shard, "sequence": step.sequence}
        span.end(end)


def _another() -> Context:
    return tracing.new_trace(sampled=True)


def _below(span: Span) -> Context:
    return Context(span.context.trace_id, traceparent.new_span_id(), True)


def _chosen(order_id: int, every: int) -> bool:
    return bool(every) and not order_id % every
