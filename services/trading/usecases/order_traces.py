"""The spans of orders, made from the journal after its inputs were applied to the positions: neither engine nor gateway knows of them.

    engine INPUT            the engine took an input that concerns the order; the one that makes the order begins the order's own trace
    wait trading.portfolio  from then until the portfolio pool had the record: journal, tail, broker
    apply INPUT             what the record changed is in the positions

An input that concerns an order later has a trace of its own, linked with the order's. When the engine took an input is known by the time
that the journal tells before it, which is at most 5 ms old. Every n-th order has spans, where about one in n traces is recorded. With a
window `MOST_STEPS` inputs are told of, and what a burst leaves with the next ones; the window's own span says when some were left out.
"""

import bisect
import functools
import itertools
import math
import uuid
from collections import deque
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
"""At a time. A step is three spans of 0.2 ms each, and the next window waits meanwhile."""

SPANS_OF_STEP = 3
"""Engine, wait, apply."""

MOST_LATE = 1024
"""Steps that wait for the next windows; further ones are left out."""

_REFUSAL = bytes((REFUSED,))
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

    `now_us` is the engine's time before them. Of records that are looked at together only those that may name such an order are read.
    """
    low = min(stride, 256) - 1
    for begin in range(0, len(records), CHUNK):
        chunk = _Chunk(records[begin : begin + CHUNK], now_us)
        for number in sorted({*range(-(first + begin) % stride, len(chunk.records), stride), *chunk.naming(stride)}):
            record, sequence = chunk.records[number], first + begin + number
            for order_id, outcomes in _concerned(sequence, record, low, stride):
                yield Step(order_id, sequence, record[0], chunk.time_of(number), tuple(outcomes) or (REFUSED,))
        now_us = chunk.time_after()


class _Chunk:
    """Records side by side; `before_us` is the engine's time before them."""

    def __init__(self, records: Sequence[bytes], before_us: int) -> None:
        self.records, self._before_us = records, before_us
        self._slots = b"".join(records)
        self._kinds = self._slots[::SLOT]

    @functools.cached_property
    def _ends(self) -> Sequence[int]:
        """Where each record ends, in bytes. Most chunks are never asked where few orders are told of."""
        return list(itertools.accumulate(map(len, self.records)))

    def naming(self, stride: int) -> Iterable[int]:
        """The records with a slot that names an order that is told of, or looks so. Kinds and lowest bytes of ids are compared at once."""
        divides = self._slots[ORDER_AT::SLOT].translate(_DIVIDES[min(stride, 256) - 1])
        both = int.from_bytes(self._kinds.translate(_NAMES), "little") & int.from_bytes(divides, "little")
        found = (at * SLOT for at in _places(both.to_bytes(len(divides), "little")))
        return [
            bisect.bisect(self._ends, at) for at in found if stride <= 256 or not _order_id(self._slots, at) % stride
        ]

    def time_of(self, number: int) -> int:
        """The engine's time after this record's input."""
        return self._time_before(self._ends[number] // SLOT)

    def time_after(self) -> int:
        """The engine's time after all of them."""
        return self._time_before(len(self._kinds))

    def _time_before(self, slot: int) -> int:
        """What the last input before this slot tells that tells the time, unless it was refused."""
        at = self._kinds.rfind(TIME, 0, slot)
        while at >= 0 and self._is_refused(at):
            at = self._kinds.rfind(TIME, 0, at)
        return self._before_us if at < 0 else int.from_bytes(self._slots[at * SLOT + 1 : at * SLOT + 9], "little")

    def _is_refused(self, slot: int) -> bool:
        """Whether the slot behind this input's is its refusal, and no input of the same number."""
        return self._kinds[slot + 1 : slot + 2] == _REFUSAL and (slot + 1) * SLOT not in self._ends


def _order_id(record: bytes, slot: int) -> int:
    return int.from_bytes(record[slot + ORDER_AT : slot + ORDER_AT + 8], "little")


def _places(among: bytes) -> Iterator[int]:
    """Where it is 1."""
    at = among.find(1)
    while at >= 0:
        yield at
        at = among.find(1, at + 1)


def _concerned(sequence: int, record: bytes, low: int, stride: int) -> Iterable[tuple[int, list[int]]]:
    """Each of the orders that are told of and that this record concerns, with what came of it for the order."""
    if record[0] == TIME:
        return ()
    found: dict[int, list[int]] = {sequence: []} if record[0] == NEW and not sequence % stride else {}
    for at in range(SLOT, len(record), SLOT):
        if record[at + ORDER_AT] & low or record[at] not in NAMING:
            continue
        order_id = _order_id(record, at)
        if not order_id % stride:
            found.setdefault(order_id, []).append(record[at])
    return found.items()


def stride() -> int:
    """Every how many-th order is told of: the power of two next to the share of traces that is recorded; 0 for none."""
    every = tracing.stride()
    return 1 << round(math.log2(every)) if every else 0


@dataclass(frozen=True, slots=True)
class _Late:
    """A step that is yet to be told of, and the window that it was applied with."""

    shard: int
    step: Step
    began: int
    ended: int
    window: Span | None


_late: deque[_Late] = deque()

tracing.owe(lambda: SPANS_OF_STEP * len(_late))


def tell(shard: int, first: int, records: Sequence[bytes], now_us: int, began: int, ended: int) -> None:
    """Records are applied: they were taken up at `began`, and committed at `ended` (ns since the epoch)."""
    every = stride()
    if not every:
        return
    window = tracing.current()
    found = steps(first, records, now_us, every)
    taken = [_Late(shard, step, began, ended, window) for step in itertools.islice(found, MOST_LATE - len(_late))]
    if window is not None and taken:
        window.context = replace(window.context, sampled=True)
    if window is not None and next(found, None) is not None:
        window.attributes["orders.left_out"] = True
    _late.extend(taken)
    for _ in range(min(MOST_STEPS, len(_late))):
        _tell(_late.popleft())


def _tell(late: _Late) -> None:
    shard, step = late.shard, late.step
    order = own_trace(shard, step.order_id)
    makes = step.input == NEW and step.order_id == step.sequence
    name = Input(step.input).name.lower()
    taken = step.at_us * 1000
    at = min(taken, late.began)  # the engine's clock may be ahead of ours: nothing is taken up before it was made
    engine = Span(f"engine {name}", Kind.INTERNAL, order if makes else _another(), None, None, at)
    if not makes:
        engine.link(order)
        if step.input == NEW:
            engine.link(own_trace(shard, step.sequence))
    wait = Span(f"wait {PORTFOLIO}", Kind.INTERNAL, _below(engine), engine.context, None, at)
    apply = Span(f"apply {name}", Kind.CONSUMER, _below(engine), engine.context, None, late.began)
    if at != taken:
        wait.attributes["clamped"] = True
    if late.window is not None:
        apply.link(late.window.context)
    engine.attributes["outcome"] = ",".join(Outcome(kind).name.lower() for kind in dict.fromkeys(step.outcomes))
    for span, end in ((engine, at), (wait, late.began), (apply, late.ended)):
        span.attributes |= {"order.id": str(step.order_id), "shard": shard, "sequence": step.sequence}
        span.end(end)


def _another() -> Context:
    return tracing.new_trace(sampled=True)


def _below(span: Span) -> Context:
    return Context(span.context.trace_id, traceparent.new_span_id(), True)


def _chosen(order_id: int, every: int) -> bool:
    return bool(every) and not order_id % every
