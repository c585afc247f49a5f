"""Applies batches of journals to the positions, each sequence number of a shard once and in order. Called by the chassis' batch consumer.

A batch that was applied before changes nothing. One that comes before what it follows on is kept until that came, however many workers
consume. One of another journal than the shard's, or of one that does not go on from what was applied, is refused, and so parked.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from chassis import tracing
from chassis.errors import Permanent
from chassis.loggers import get_logger
from trading.adapters.journal.batch import SLOT, BatchRefused, JournalBatch, decode
from trading.adapters.layouts import decode_input, decode_outcome
from trading.adapters.portfolio_store import Applied, ShardRows, SqlPortfolioStore
from trading.domain.portfolio import FeeSchedule, Portfolio, touched
from trading.domain.records import Record
from trading.domain.terms import Input, Outcome
from trading.usecases import order_traces

log = get_logger(__name__)

_INPUTS = {int(kind) for kind in (Input.TIME, Input.MARKET_DATA, Input.LIST)}
_OUTCOMES = {int(kind) for kind in (Outcome.EXECUTED, Outcome.REFUSED)}

Fact = tuple[Record, list[Record]]


def facts(records: Iterable[bytes]) -> list[Fact]:
    """The inputs that a portfolio goes by, with those of their outcomes that it goes by."""
    found = []
    for record in records:
        outcomes = [
            decode_outcome(record[at : at + SLOT]) for at in range(SLOT, len(record), SLOT) if record[at] in _OUTCOMES
        ]
        if outcomes or record[0] in _INPUTS:
            found.append((decode_input(record[:SLOT]), outcomes))
    return found


class ApplyJournal:
    """A `chassis.batch_consumer.BatchHandler`."""

    def __init__(self, store: SqlPortfolioStore, fees: FeeSchedule) -> None:
        self._store, self._fees = store, fees

    def read(self, body: bytes) -> JournalBatch:
        """The batch in a message. Raises Permanent."""
        try:
            return decode(body)
        except BatchRefused as error:
            raise Permanent(str(error)) from error

    def apply(self, batches: Sequence[JournalBatch]) -> None:
        """Apply batches of any shards. Raises Transient when the database fails, Permanent for a batch of another history."""
        by_shard: defaultdict[int, list[JournalBatch]] = defaultdict(list)
        for batch in batches:
            by_shard[batch.shard].append(batch)
        for shard, of_shard in sorted(by_shard.items()):
            began = tracing.now()
            with self._store.shard(shard) as rows:
                run = _Run(rows, self._fees, shard)
                run.take(sorted(of_shard, key=lambda batch: batch.first_sequence))
            order_traces.tell(shard, run.first, run.due, run.before.now_us, began, tracing.now())

    def ping(self) -> None:
        """Ask the database. Raises Transient when it does not answer."""
        self._store.ping()


class _Run:
    """What one transaction does to one shard."""

    def __init__(self, rows: ShardRows, fees: FeeSchedule, shard: int) -> None:
        self._rows, self._fees, self._shard = rows, fees, shard
        self._applied = self.before = rows.applied
        self.first = self.before.sequence + 1
        """Sequence number of the first of the records that are due."""
        self.due: list[bytes] = []

    def take(self, batches: Sequence[JournalBatch]) -> None:
        for batch in batches:
            self._judge(batch)
            self._take(batch)
        self._take_early()
        if self.due:
            self._save()

    def _judge(self, batch: JournalBatch) -> None:
        applied = self._applied
        if applied.journal and batch.journal != applied.journal:
            raise Permanent(
                f"shard {self._shard}: the batch from {batch.first_sequence} is of journal {batch.journal.hex()[:16]}…,"
                f" but positions are those of {applied.journal.hex()[:16]}…"
            )
        within = batch.first_sequence <= applied.sequence + 1 and batch.last_sequence >= applied.sequence
        if within and batch.chain_at(applied.sequence) != applied.chain:
            raise Permanent(
                f"shard {self._shard}: the batch from {batch.first_sequence} to {batch.last_sequence} does not go on from what was"
                f" applied: at sequence number {applied.sequence} its journal has another hash"
            )

    def _take(self, batch: JournalBatch) -> None:
        """Take what is new of a batch; one that is early is kept."""
        applied = self._applied
        if batch.last_sequence <= applied.sequence:
            return
        if batch.first_sequence > applied.sequence + 1:
            log.warning(
                "batch_is_early", shard=self._shard, applied=applied.sequence, first_sequence=batch.first_sequence
            )
            self._rows.keep_early(batch.first_sequence, batch.last_sequence, batch.encode())
            return
        self.due += batch.records[applied.sequence + 1 - batch.first_sequence :]
        self._applied = Applied(batch.journal, batch.last_sequence, batch.blocks[-1][1], applied.now_us)

    def _take_early(self) -> None:
        while bodies := self._rows.take_early(self._applied.sequence):
            for body in bodies:
                batch = decode(body)
                try:
                    self._judge(batch)
                except Permanent as error:
                    # What goes on from what was applied is the truth, and the journal still has this.
                    log.error("early_batch_dropped", shard=self._shard, error=str(error))
                    continue
                self._take(batch)

    def _save(self) -> None:
        due = facts(self.due)
        keys = {key for _, outcomes in due for key in touched(outcomes)}
        portfolio = Portfolio(
            self._fees,
            positions=self._rows.positions(keys),
            instruments=self._rows.instruments(),
            now_us=self._applied.now_us,
        )
        for given, outcomes in due:
            portfolio.apply(given, outcomes)
        applied = self._applied
        self._rows.save(
            Applied(applied.journal, applied.sequence, applied.chain, portfolio.now_us),
            portfolio.positions,
            portfolio.instruments,
        )
