"""Numbers that the processes of one shard show each other in shared memory: beats, states, counts.

Each number has one writer, is 8 bytes and aligned, and is seen whole. Nothing is decided by the order in which two of them change.
"""

import time
from enum import IntEnum
from functools import cached_property
from multiprocessing.shared_memory import SharedMemory

from trading.adapters.atomic_numbers import numbers

BYTES = 4096


class Field(IntEnum):
    """Where a number stands."""

    ENGINE_BEAT = 0
    """Monotonic nanoseconds of the last sign of life."""
    ENGINE_STATE = 1
    ENGINE_SEQUENCE = 2
    """Inputs in the journal."""
    ENGINE_REPLAYED = 3
    """Inputs that the engine read again when it started."""
    ENGINE_BUSY_NS = 5
    """Nanoseconds that the engine spent on inputs, each batch times its inputs."""
    GATEWAY_BEAT = 8
    GATEWAY_STATE = 9
    GATEWAY_PORT = 10
    GATEWAY_MESSAGES_IN = 11
    GATEWAY_MESSAGES_OUT = 12
    GATEWAY_SESSIONS = 13
    GATEWAY_REFUSED_FULL = 14
    """Orders that the ring had no room for."""
    ENGINE_DURATIONS = 32
    """First of DURATIONS counts: inputs by how long their batch took, in powers of two of nanoseconds from FIRST_POWER on."""


FIRST_POWER = 10
DURATIONS = 21
"""The first count is of less than 2^10 ns (1 µs), the last of 2^29 ns (0.54 s) and more."""


class State(IntEnum):
    """What a process is doing."""

    STARTING = 0
    READY = 1
    DRAINING = 2
    DRAINED = 3


class Board:
    """One page of shared memory. Its maker ends it with `unlink`; it may be handed to a process that is spawned."""

    def __init__(self) -> None:
        self._memory = SharedMemory(create=True, size=BYTES)

    def __getstate__(self) -> dict[str, SharedMemory]:
        return {"_memory": self._memory}

    def set(self, field: Field, value: int) -> None:
        """Show a number."""
        self._numbers[field] = value

    def get(self, field: Field) -> int:
        """Read a number."""
        return int(self._numbers[field])

    def show(self, first: Field, values: list[int]) -> None:
        """Show numbers that stand beside each other."""
        for at, value in enumerate(values, start=first):
            self._numbers[at] = value

    def read(self, first: Field, count: int) -> list[int]:
        """Read numbers that stand beside each other."""
        return self._numbers[first : first + count].tolist()

    def beat(self, field: Field) -> None:
        """Show a sign of life."""
        self._numbers[field] = time.monotonic_ns()

    def silent_seconds(self, field: Field) -> float:
        """Seconds since the last sign of life."""
        return (time.monotonic_ns() - self.get(field)) / 1e9

    @cached_property
    def _numbers(self) -> memoryview:
        buffer = self._memory.buf
        assert buffer is not None
        return numbers(buffer)

    def close(self) -> None:
        """Let go of the memory in this process. Python complains at the end of a process that did not."""
        self._numbers.release()
        self._memory.close()

    def unlink(self) -> None:
        """Let go of the memory for all; processes that still use it keep theirs."""
        self.close()
        self._memory.unlink()
