"""Records are flat tuples of integers; the first field says the kind. Pure."""

from collections.abc import Sequence
from typing import TypeGuard

from trading.domain.inputs import INPUTS

Record = tuple[int, ...]

BITS = 63


class BadRecord(ValueError):
    """Not an input at all: unknown kind, another number of fields, or a field that is no integer of 64 bits."""


def checked(fields: Sequence[object]) -> Record:
    """`fields` as an input that the engine may apply; raises BadRecord.

    For doors that take values from people. What was decoded from a fixed binary layout has this shape already.
    """
    if not fields or not _fits(fields[0]) or fields[0] not in INPUTS:
        raise BadRecord(f"no input of kind {fields[0] if fields else None!r}")
    names = INPUTS[fields[0]]._fields
    if len(fields) != len(names):
        raise BadRecord(f"{INPUTS[fields[0]].__name__} has {len(names)} fields, not {len(fields)}")
    record: list[int] = []
    for name, value in zip(names, fields, strict=True):
        if not _fits(value):
            raise BadRecord(f"{name} is {value!r}, not an integer of 64 bits")
        record.append(int(value))
    return tuple(record)


def _fits(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << BITS) <= value < 1 << BITS
