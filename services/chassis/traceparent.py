"""Where a piece of work stands in which trace, as W3C Trace Context writes it (https://www.w3.org/TR/trace-context/). Pure.

What comes from outside is read strictly: a text that is not exactly of version 00 is no context at all.
"""

import random
import re
from dataclasses import dataclass
from typing import Any

_FORM = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

UNSAMPLED = "-00"
"""How a context of ours ends whose trace is not recorded."""

_RATIO_BITS = (1 << 56) - 1
"""The part of a trace id that is random in every generator (Trace Context level 2), and by which a share of them is chosen."""


@dataclass(frozen=True, slots=True)
class Context:
    """One span of one trace; `sampled` is whether its trace is recorded."""

    trace_id: int
    span_id: int
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.sampled:02x}"


def read(text: Any) -> Context | None:
    """The context that a `traceparent` names; None for anything else, of any type."""
    if not isinstance(text, str) or (found := _FORM.fullmatch(text)) is None:
        return None
    trace_id, span_id, flags = found.groups()
    return Context(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & 1))


def new_trace_id() -> int:
    """Random, never 0."""
    return random.getrandbits(128) or 1


def new_span_id() -> int:
    """Random, never 0."""
    return random.getrandbits(64) or 1


def chosen(trace_id: int, ratio: float) -> bool:
    """Whether this trace is of the share (0 to 1) that is recorded; the same answer in every process."""
    return (trace_id & _RATIO_BITS) < ratio * (_RATIO_BITS + 1)
