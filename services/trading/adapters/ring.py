"""A ring of 64-byte messages in shared memory, from one process to one other.

A semaphore counts the messages that are there. Its release and its acquire also order the memory of both processes, on every processor;
a bare sequence number in shared memory would not, because Python has no memory model. A second semaphore counts free chunks of slots,
so a full ring refuses. Neither makes a system call unless somebody waits.

A ring is good for one sender and one receiver in their lives: when either ends, both get new rings, because nobody knows how far the
dead one was.
"""

import struct
from collections.abc import Callable
from multiprocessing.context import BaseContext
from multiprocessing.shared_memory import SharedMemory
from multiprocessing.synchronize import Semaphore
from typing import Any

SLOT_BYTES = 64
CHUNK = 256
"""Slots that become free together, and slots that are kept for urgent messages."""
OPERATORS = 64
"""Of these, the slots that are kept for what operators send: clients have urgent messages as well."""
SPINS = 2000
"""Looks between two readings of the clock while spinning."""
_SLOT = struct.Struct(f"{SLOT_BYTES}s")
_put, _got = _SLOT.pack_into, _SLOT.unpack_from
"""Half of the time that slices of a memoryview take."""


class Ring:
    """The memory and the semaphores of one direction. Is handed to both processes when they are spawned; its maker ends it with
    `unlink`.
    """

    def __init__(self, context: BaseContext, slots: int = 16384) -> None:
        if slots < 2 * CHUNK or slots & (slots - 1):
            raise ValueError(f"slots: a power of two from {2 * CHUNK} on, got {slots}")
        self.slots = slots
        self._memory = SharedMemory(create=True, size=slots * SLOT_BYTES)
        self._there: Semaphore = context.Semaphore(0)
        self._free: Semaphore = context.Semaphore(slots // CHUNK)

    def sender(self) -> "Sender":
        """The end that writes; for one process."""
        return Sender(self._memory, self._there, self._free, self.slots)

    def receiver(self) -> "Receiver":
        """The end that reads; for one process."""
        return Receiver(self._memory, self._there, self._free, self.slots)

    def unlink(self) -> None:
        """Let go of the memory; processes that still use the ring keep theirs."""
        self._memory.close()
        self._memory.unlink()


class Sender:
    """Writes messages of 64 bytes."""

    def __init__(self, memory: SharedMemory, there: Semaphore, free: Semaphore, slots: int) -> None:
        self._memory = memory
        self._buffer: Any = memory.buf
        self._release: Callable[[], None] = there.release
        self._acquire_free: Callable[..., bool] = free.acquire
        self._at, self._mask, self._left = 0, slots * SLOT_BYTES - 1, 0

    def send(self, message: bytes, *, urgent: bool = False, operator: bool = False) -> bool:
        """Hand over one message; False when the ring is full. Urgent ones may take the slots that the others leave, an operator's all."""
        if self._left <= CHUNK and not self._find_room(0 if operator else OPERATORS if urgent else CHUNK):
            return False
        at = self._at
        _put(self._buffer, at, message)
        self._at = at + SLOT_BYTES & self._mask
        self._left -= 1
        self._release()
        return True

    def room(self) -> int:
        """How many messages that are not urgent are taken at least."""
        self._find_room(CHUNK)
        return max(self._left - CHUNK, 0)

    def wait_for_room(self, seconds: float) -> bool:
        """Wait until a message is taken again; False when the receiver read too little in that time."""
        if self._acquire_free(True, seconds):
            self._left += CHUNK
        return self._left > CHUNK

    def _find_room(self, kept: int) -> bool:
        while self._left <= CHUNK and self._acquire_free(False):
            self._left += CHUNK
        return self._left > kept


class Receiver:
    """Reads messages in the order in which they were sent."""

    def __init__(self, memory: SharedMemory, there: Semaphore, free: Semaphore, slots: int) -> None:
        self._memory = memory
        self._buffer: Any = memory.buf
        self._acquire: Callable[..., bool] = there.acquire
        self._release_free: Callable[[], None] = free.release
        self._at, self._mask = 0, slots * SLOT_BYTES - 1

    def wait(self, seconds: float) -> bytes | None:
        """The next message, or None when none came in that time. Sleeps until then."""
        return self._take() if self._acquire(True, seconds) else None

    def spin(self, looks: int = SPINS) -> bytes | None:
        """The next message, or None after so many looks; makes no system call."""
        acquire = self._acquire
        for _ in range(looks):
            if acquire(False):
                return self._take()
        return None

    def next(self) -> bytes | None:
        """The next message if there is one."""
        return self._take() if self._acquire(False) else None

    def _take(self) -> bytes:
        at = self._at
        message: bytes = _got(self._buffer, at)[0]
        self._at = at = at + SLOT_BYTES & self._mask
        if not at % (CHUNK * SLOT_BYTES):
            self._release_free()
        return message
