"""Places the purchases of a file as orders, many at a time, so that stopping, dying and repeating are harmless.

An order's key is the digest of the file and its column map, with the line number: a line is one order however often it is sent, and two
equal lines are two; another map is another replay. What was accepted is written to a journal, so that a second run goes on where the
first one ended; without it the API says which were there already. A backlog (503) or a missing answer is waited for; any other refusal
belongs to its line and is reported.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conductor.capstones.orders import promises, purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.promises import Accepted, Intent
from conductor.capstones.orders.purchase_file import BadRow, Row
from conductor.errors import ApiRefused, ApiUnreachable, ConductorError
from conductor.history import Journal, now

TOO_MANY_REQUESTS = 429
FIRST_WAIT_SECONDS, LAST_WAIT_SECONDS = 0.1, 5.0
PATIENCE_SECONDS = 300.0
"""How long one row is asked for again and again; a backlog is worked off in much less."""


@dataclass
class Progress:
    """How far a replay is. Changed by its threads under their lock; read by anybody."""

    accepted: int = 0
    resumed: int = 0
    accepted_minor: int = 0
    refused: list[BadRow] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Rows that have an answer."""
        return self.accepted + self.resumed + len(self.refused)


class GaveUp(ConductorError):
    """A row got no answer for too long; what was accepted is in the journal, and the next run goes on there."""


class Replay:
    """One run over the rows of a file."""

    def __init__(
        self,
        connect: Callable[[], OrdersApi],
        log: Journal,
        *,
        prefix: str,
        sku: str,
        concurrency: int = 8,
        speed: float | None = None,
    ) -> None:
        """`prefix` begins every key; with `speed` a row waits for its date, so many times faster than it was."""
        self._connect = connect
        self._log = log
        self._prefix = prefix
        self._sku = sku
        self._concurrency = concurrency
        self._speed = speed
        self._lock = threading.Lock()
        self._taking = threading.Lock()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self.progress = Progress()

    def key(self, line: int) -> str:
        """The idempotency key of a line."""
        return f"{self._prefix}{line}"

    def run(self, rows: Sequence[Row | BadRow], watch: Callable[[Progress], None] = lambda _: None) -> Progress:
        """Place every row that is not in the journal yet; `watch` is told how far it is, now and then.

        Raises GaveUp, and ApiRefused when the API does not know us (401, 403).
        """
        known = promises.read([self._log.path]).accepted
        waiting = self._due(self._open(rows, known))
        threads = [threading.Thread(target=self._work, args=(waiting,), daemon=True) for _ in range(self._concurrency)]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                threads[0].join(0.2) if threads[0].is_alive() else self._stop.wait(0.2)
                watch(self.progress)
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        if self._failure is not None:
            raise self._failure
        watch(self.progress)
        return self.progress

    def _open(self, rows: Iterable[Row | BadRow], known: Mapping[str, Accepted]) -> Iterator[Row]:
        for row in rows:
            if isinstance(row, BadRow):
                self._refuse(row)
            elif (earlier := known.get(self.key(row.line))) is not None:
                with self._lock:
                    self.progress.resumed += 1
                    self.progress.accepted_minor += earlier.total_minor
            else:
                yield row

    def _due(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows, each not before its time."""
        began, first = time.monotonic(), None
        for row in rows:
            if self._speed and row.at is not None:
                first = first or row.at
                after = (row.at - first).total_seconds() / self._speed
                self._stop.wait(max(0.0, began + after - time.monotonic()))
            yield row

    def _work(self, waiting: Iterator[Row]) -> None:
        try:
            with self._connect() as api:
                while (row := self._next(waiting)) is not None:
                    self._place(api, row)
        except BaseException as error:  # noqa: BLE001 - raised again by `run`, in the thread that called it
            self._failure = self._failure or error
            self._stop.set()

    def _next(self, waiting: Iterator[Row]) -> Row | None:
        with self._taking:
            return None if self._stop.is_set() else next(waiting, None)

    def _place(self, api: OrdersApi, row: Row) -> None:
        key = self.key(row.line)
        body = order(row, self._sku)
        # A customer of the file may buy twice; in the ledgers an order is told by its key.
        self._log.write(Intent(now(), key, key, {self._sku: row.quantity}))
        deadline, wait, tries = time.monotonic() + PATIENCE_SECONDS, FIRST_WAIT_SECONDS, 0
        while not self._stop.is_set():
            tries += 1
            try:
                receipt = api.place(key, body)
            except ApiUnreachable as error:
                pause, why = wait, str(error)
            except ApiRefused as error:
                if error.status in (401, 403):
                    raise
                if error.status < 500 and error.status != TOO_MANY_REQUESTS:
                    self._log.write(promises.Refused(now(), key, error.status, str(error)))
                    self._refuse(BadRow(row.line, str(error), str(row.amount_minor)))
                    return
                pause, why = error.retry_after_seconds or wait, str(error)
            else:
                self._log.write(Accepted(now(), key, receipt["order_id"], receipt["total_minor"], tries))
                with self._lock:
                    self.progress.accepted += 1
                    self.progress.accepted_minor += receipt["total_minor"]
                return
            if time.monotonic() > deadline:
                raise GaveUp(f"line {row.line} got no answer for {PATIENCE_SECONDS:.0f} s: {why}")
            self._stop.wait(pause)
            wait = min(2 * wait, LAST_WAIT_SECONDS)

    def _refuse(self, row: BadRow) -> None:
        with self._lock:
            self.progress.refused.append(row)


def order(row: Row, sku: str) -> dict[str, object]:
    """What POST /orders takes for a row: one line with the row's total, and no unit price."""
    body = dict(purchases.purchase(row.customer, sku=sku, quantity=row.quantity, card="tok_ok").body)
    return {**body, "lines": [{"sku": sku, "quantity": row.quantity, "amount_minor": row.amount_minor}]}
