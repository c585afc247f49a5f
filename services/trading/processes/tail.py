"""The tail process: publishes a shard's journal to the broker, block by block, so that the journal is the outbox.

It only reads the journal, takes no lock, and nothing waits for it: with the broker away the engine trades on, and the tail goes on where it
was. A batch may be published twice, when its confirm is lost or the process dies before it has kept its place; never not at all, and never
before the block was closed. Who consumes goes by shard and sequence number.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from chassis.errors import Transient
from trading.adapters import published
from trading.adapters.journal.batch import batch_of
from trading.adapters.journal.errors import JournalError
from trading.adapters.journal.reader import Closed, Tail, chains_at, first_chain
from trading.adapters.published import Place
from trading.processes.followers import begun
from trading.processes.settings import ShardSettings

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.05
RETRY_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Pauses between tries while the broker does not confirm; the last one is repeated."""
MOST_BLOCKS = 64
"""Blocks that are read ahead: what a process holds while the broker is away."""
BATCH_BYTES = 512 << 10
"""A batch ends with the block that brings it here; a body that cannot be applied is kept whole up to 4 MiB."""


class BatchSink(Protocol):
    """Where batches are published."""

    def publish(self, body: bytes) -> "Future[None]":
        """Publish one; the future ends once the broker confirmed it, or raises chassis.errors.Transient."""

    def close(self) -> None:
        """End."""


class JournalForked(JournalError):
    """The journal does not go on from what was published: it was made anew, or lost its end and went on differently."""

    def __init__(self, settings: ShardSettings, place: Place) -> None:
        super().__init__(
            f"shard {settings.shard}: no block of the journal {settings.journal} ends at sequence number {place.sequence} with the hash"
            f" {place.chain[:16]}…, up to which {settings.published} says that it was published"
        )


class TailPublisher:
    """Publishes one journal, which has a block already. `round` publishes what was closed."""

    def __init__(self, settings: ShardSettings, sink: BatchSink) -> None:
        """Raises JournalForked."""
        self._settings, self._sink = settings, sink
        self.place = published.read(settings.published)
        if bytes.fromhex(self.place.chain) not in chains_at(settings.journal, self.place.sequence):
            raise JournalForked(settings, self.place)
        self._journal = first_chain(settings.journal)
        self._tail = Tail(settings.journal, after=self.place.sequence)
        self._pending: list[Closed] = []

    def round(self) -> bool:
        """Publish some of what was closed; whether there may be more at once. Raises Transient when it was not confirmed: the next
        round publishes it again. Raises JournalDamaged."""
        if not self._pending:
            self._pending = self._tail.poll(most=MOST_BLOCKS)
        if not self._pending:
            return False
        if self._journal is None:
            self._journal = first_chain(self._settings.journal)
        assert self._journal is not None
        blocks = self._pending[: _end_of_batch(self._pending)]
        batch = batch_of(self._settings.shard, self._journal, bytes.fromhex(self.place.chain), blocks)
        self._sink.publish(batch.encode()).result()
        self.place = Place(batch.last_sequence, batch.blocks[-1][1].hex())
        try:
            published.keep(self._settings.published, self.place)
        except OSError as error:
            # The next batch is kept again. A process that begins before publishes this one a second time, which is told apart.
            log.warning("place_not_kept", extra={"sequence": self.place.sequence, "reason": str(error)})
        del self._pending[: len(blocks)]
        return True


def _end_of_batch(blocks: list[Closed]) -> int:
    size = 0
    for index, closed in enumerate(blocks, start=1):
        size += sum(len(record) for _, record in closed.records)
        if size >= BATCH_BYTES:
            return index
    return len(blocks)


def main(settings: ShardSettings, make_sink: Callable[[], BatchSink]) -> None:
    """The process: where `multiprocessing` begins. `make_sink` is a function of a module, because it is found again by its name."""
    ended = begun(settings, PAUSE_SECONDS)
    if ended():
        return
    sink = make_sink()
    publisher, failures = TailPublisher(settings, sink), 0
    while True:
        # The last round comes after the end of the engine, which closed its last block before.
        last = ended()
        try:
            more, pause = publisher.round(), PAUSE_SECONDS
            if failures:
                log.info("tail_resumed", extra={"sequence": publisher.place.sequence})
            failures = 0
        except Transient as error:
            if not failures:
                log.warning("tail_waits", extra={"sequence": publisher.place.sequence, "reason": str(error)})
            more, pause = False, RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
            failures += 1
        if more:
            continue
        if last:
            break
        _sleep(pause, ended)
    sink.close()


def _sleep(seconds: float, ended: Callable[[], bool]) -> None:
    """Wait, but not beyond being told to end: a signal does not cut a sleep short in Python."""
    until = time.monotonic() + seconds
    while not ended() and time.monotonic() < until:
        time.sleep(PAUSE_SECONDS)
