"""The engine process: inputs from one ring, outcomes into the other, and every input in the journal before its outcomes are said.

It opens no socket and speaks to no broker. While it spins it makes no system call an input at level `process`.
"""

import gc
import logging
import os
import time
from functools import partial
from time import perf_counter_ns

from trading.adapters.board import DURATIONS, FIRST_POWER, Board, Field, State
from trading.adapters.journal.errors import JournalFull
from trading.adapters.journal.reader import records
from trading.adapters.journal.writer import Journal
from trading.adapters.kept_numbers import KeptNumbers
from trading.adapters.layouts import INPUTS, OUTCOMES, REPEATED, STATUS_REQUEST, Between, Known, flagged, slots
from trading.adapters.ring import Receiver, Ring, Sender
from trading.adapters.snapshots import newest, save
from trading.domain.records import Record
from trading.domain.state import Order
from trading.domain.terms import Input
from trading.processes.lifeline import beginning, ended_by
from trading.processes.settings import ShardSettings
from trading.usecases.replay import code_version, replay

log = logging.getLogger(__name__)

BATCH = 256
"""Inputs that are committed together at most."""
IDLE_SECONDS = 0.05
IDLE_SPINS = 50
"""Empty rounds of spinning after which the open block is closed: about 10 ms."""
TIME_US = 5000
"""The engine is told the time with the first input that comes so long after it was last told."""
BUCKETS = tuple(min(max(bits - FIRST_POWER, 0), DURATIONS - 1) for bits in range(65))
"""By the bits of a number of nanoseconds, where it is counted."""
BEAT_BATCHES, BEAT_INPUTS = 64, 1024
"""Batches, or inputs, after which the engine shows a sign of life: a batch has one input, or 256 when the ring is full."""
FULL_SECONDS = 0.5
"""Pause between two tries to make room in the journal."""

_CLIENT_KINDS = {Input.NEW, Input.CANCEL, Input.REPLACE, Input.MASS_CANCEL}


class EngineProcess:
    """One engine at work. `run` returns when it was told to end and has drained its ring."""

    def __init__(self, settings: ShardSettings, board: Board, inputs: Receiver, outcomes: Sender) -> None:
        self._settings, self._board, self._inputs, self._outcomes = settings, board, inputs, outcomes
        self._ending = False
        self._full_until = 0.0
        self._time_due_ns = 0
        """When the engine may have to be told the time, by the clock that does not jump."""
        self._durations = [0] * DURATIONS
        self._busy_ns = 0
        self.journal = Journal(
            settings.journal,
            level=settings.level,
            code_version=code_version(),
            segment_bytes=settings.segment_bytes,
            block_bytes=settings.block_bytes,
        )
        self.engine = newest(settings.snapshots, at_most=self.journal.next_sequence - 1)
        self._rebuild()

    def end(self, *_: object) -> None:
        """Drain and return; a signal handler."""
        self._ending = True

    def run(self) -> None:
        """Take inputs until told to end."""
        receive, spinning = self._inputs.next, self._settings.engine_core is not None
        wait = self._inputs.spin if spinning else partial(self._inputs.wait, IDLE_SECONDS)
        board, idle, batches, shown = self._board, 0, 0, 0
        board.set(Field.ENGINE_STATE, State.READY)
        while True:
            message = wait()
            if message is None:
                self._beat()
                idle += 1
                if not spinning or idle % IDLE_SPINS == 0:
                    self._idle()
                    if self._ending:
                        return
                continue
            idle = 0
            batch = [message]
            while len(batch) < BATCH and (message := receive()) is not None:
                batch.append(message)
            self._timed(batch)
            batches, shown = batches + 1, shown + len(batch)
            if not batches % BEAT_BATCHES or shown >= BEAT_INPUTS or self._ending:
                shown = 0
                self._beat()

    def close(self) -> None:
        """Sync the journal, write a snapshot, and tell the gateway that nothing more will come."""
        self._board.set(Field.ENGINE_STATE, State.DRAINING)
        self.journal.close()
        try:
            save(self._settings.snapshots, self.engine)
        except OSError as error:
            # The journal has it all: without the snapshot the next start only takes longer.
            log.warning("snapshot_not_saved", extra={"sequence": self.engine.sequence, "reason": str(error)})
        self._say(OUTCOMES[Between.MARK].pack(Between.MARK, self.engine.sequence))
        self._say(OUTCOMES[Between.END].pack(Between.END))
        self._board.set(Field.ENGINE_STATE, State.DRAINED)

    def _beat(self) -> None:
        """Show a sign of life, and what was counted."""
        self._board.show(Field.ENGINE_DURATIONS, self._durations)
        self._board.set(Field.ENGINE_BUSY_NS, self._busy_ns)
        self._board.beat(Field.ENGINE_BEAT)

    def _timed(self, batch: list[bytes]) -> None:
        """Take inputs, and count how long that took: once a batch, in numbers that are there already."""
        began = self._take(batch)
        took, count = perf_counter_ns() - began, len(batch)
        self._durations[BUCKETS[took.bit_length()]] += count
        self._busy_ns += took * count

    def _take(self, batch: list[bytes]) -> int:
        """Take inputs; when that began."""
        began = perf_counter_ns()
        # However often clients come meanwhile, the next try is made.
        if self._full_until and time.monotonic() < self._full_until:
            self._refuse(batch)
            return began
        try:
            self.journal.reserve()
        except JournalFull:
            self._full_until = time.monotonic() + FULL_SECONDS
            self._refuse(batch)
            return began
        self._full_until = 0.0
        apply, written, said = self.engine.apply, [], []
        if began >= self._time_due_ns:
            now_us = time.time_ns() // 1000
            if now_us - self.engine.now_us >= TIME_US:
                record = (int(Input.TIME), now_us)
                apply(record)
                written.append(INPUTS[Input.TIME].pack(*record))
                self._time_due_ns = began + TIME_US * 1000
        for message in batch:
            kind = message[0]
            if kind == STATUS_REQUEST:
                said.append(self._status(INPUTS[kind].unpack(message)))
                continue
            outcomes = [OUTCOMES[one[0]].pack(*one) for one in apply(INPUTS[kind].unpack(message))]
            written.append(message + b"".join(outcomes))
            said += outcomes
        if written:
            self.journal.commit(written)
        for outcome in said:
            if not self._outcomes.send(outcome):
                self._say(outcome)
        return began

    def _say(self, outcome: bytes) -> None:
        """Hand over an outcome, also when the gateway is behind. A gateway that is dead gets this process replaced as well."""
        while not self._outcomes.send(outcome):
            self._outcomes.wait_for_room(IDLE_SECONDS)
            self._board.beat(Field.ENGINE_BEAT)

    def _idle(self) -> None:
        board = self._board
        if board.get(Field.ENGINE_SEQUENCE) != self.engine.sequence:
            board.set(Field.ENGINE_SEQUENCE, self.engine.sequence)
            self._say(OUTCOMES[Between.MARK].pack(Between.MARK, self.engine.sequence))
        self.journal.settle()

    def _refuse(self, batch: list[bytes]) -> None:
        for message in batch:
            record = INPUTS[message[0]].unpack(message)
            if record[0] == Between.STATUS_REQUEST:
                self._say(self._status(record))
            elif record[0] in _CLIENT_KINDS:
                self._say(OUTCOMES[Between.JOURNAL_FULL].pack(Between.JOURNAL_FULL, record[1], record[2]))
            else:
                self._say(OUTCOMES[Between.JOURNAL_FULL].pack(Between.JOURNAL_FULL, 0, 0))

    def _status(self, record: Record) -> bytes:
        _, session_id, _, asked = record
        session = self.engine.sessions.get(session_id)
        order = session.orders.get(asked) if session else None
        if order:
            return _told(order)
        known = Known.CLOSED if session and asked <= session.last_id else Known.NEVER_SEEN
        return OUTCOMES[Between.STATUS].pack(Between.STATUS, session_id, asked, known, 0, 0, 0, 0, 0, 0, 0, 0)

    def _rebuild(self) -> None:
        """Read again what the snapshot does not hold, and say again what the gateway perhaps has not passed on."""
        settings, board = self._settings, self._board

        def progress() -> None:
            board.beat(Field.ENGINE_BEAT)

        board.set(
            Field.ENGINE_REPLAYED,
            replay(self.engine, records(settings.journal, self.engine.sequence), progress=progress),
        )
        board.set(Field.ENGINE_SEQUENCE, self.engine.sequence)
        numbers = KeptNumbers(settings.reported, 1)
        for _, record in records(settings.journal, numbers[0]):
            for outcome in slots(record)[1:]:
                self._say(flagged(outcome, REPEATED))
        numbers.close()
        for session in self.engine.sessions.values():
            for order in session.orders.values():
                self._say(flagged(_told(order), REPEATED))
        self._say(OUTCOMES[Between.MARK].pack(Between.MARK, self.engine.sequence))


def _told(order: Order) -> bytes:
    """An open order as a STATUS."""
    holding = order.holding
    return OUTCOMES[Between.STATUS].pack(
        Between.STATUS,
        order.session.id,
        order.client_id,
        Known.OPEN,
        order.order_id,
        holding.account_id,
        holding.symbol,
        order.side,
        order.price,
        order.quantity,
        order.open,
        order.value,
    )


def main(settings: ShardSettings, board: Board, inputs: Ring, outcomes: Ring) -> None:
    """The process: where `multiprocessing` begins."""
    with beginning():
        board.beat(Field.ENGINE_BEAT)
        if settings.engine_core is not None:
            os.sched_setaffinity(0, {settings.engine_core})
        process = EngineProcess(settings, board, inputs.receiver(), outcomes.sender())
        ended_by(process.end)
    # A collection would stop the engine for milliseconds, and orders make no cycles.
    gc.collect()
    gc.freeze()
    gc.disable()
    process.run()
    process.close()
    board.close()
