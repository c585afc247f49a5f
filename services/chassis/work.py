"""Run a batch of outbox commands so that a death, a second delivery or a poisonous one costs the others nothing.

1. Count the start of every command and commit; only then may an effect begin.
2. Lock the rows, run the effect, record the outcomes and all that follows from them in one transaction.

A command that was started before without an outcome is a suspect: it may be what killed the worker. Suspects run one at a time, each
counted just before it runs, so that a poisonous command collects its attempts alone; after `max_attempts` it is parked.
What may happen twice: the effect itself (the worker died after it, before the commit). Effects therefore carry the command's key.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import sqlalchemy as sa
from billiard.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import DBAPIError

from chassis import outbox
from chassis.errors import Permanent, Transient
from chassis.loggers import get_logger
from chassis.outbox import Outcome, Park, Retry, Work
from chassis.retries import backoff

log = get_logger(__name__)

BUSY = ("40", "53", "55P03", "57014")
"""Starts of the SQLSTATE of what may pass another time (PostgreSQL, appendix A): rolled back, short of resources, no lock, cancelled."""

Effect = Callable[[sa.Connection, Sequence[Work]], Mapping[int, Outcome]]


class Observer(Protocol):
    """Is told how every command ended; see chassis.metrics."""

    def __call__(self, work: Work, outcome: Outcome) -> None: ...


OnParked = Callable[[sa.Connection, Mapping[Work, Park]], None]


class Runner:
    """Runs commands by id. One instance a process; safe after fork as long as the engine is (pool disposed in the child)."""

    def __init__(
        self,
        engine: sa.Engine,
        *,
        max_attempts: int = 5,
        on_parked: OnParked | None = None,
        observer: Observer | None = None,
    ) -> None:
        """`on_parked` runs in the transaction that parks, so a service can mark what the command belonged to; it may fail."""
        self._engine = engine
        # Counting a start is one statement; it need not be wrapped in two more.
        self._starting = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._max_attempts = max_attempts
        self._on_parked = on_parked
        self._observer = observer

    def run(self, ids: Sequence[int], effect: Effect) -> int:
        """Run the commands that are still open and free; how many got an outcome.

        A database that cannot be reached ends the run quietly but for a log line: nothing can be recorded then, and every
        command without an outcome comes due again.
        """
        ended = 0
        try:
            with self._starting.connect() as conn:
                fresh = outbox.start_fresh(conn, ids)
                # Those just counted look like suspects from here on.
                others = set(ids) - {work.id for work in fresh}
                doubtful = outbox.suspects(conn, sorted(others)) if others else []
            ended += self._attempt(fresh, effect)
            for command_id in doubtful:
                with self._starting.connect() as conn:
                    suspect = outbox.start_suspect(conn, command_id)
                if suspect is not None:
                    ended += self._attempt([suspect], effect)
        except DBAPIError as error:
            if not _lost(error):
                raise
            log.warning("database_lost", commands=len(ids), error=str(error.orig).strip())
        return ended

    def _attempt(self, works: Sequence[Work], effect: Effect) -> int:
        if not works:
            return 0
        try:
            return self._transact(works, effect)
        except DBAPIError as error:
            if _busy(error):
                # Whoever holds the lock may hold it for long, stopped as it may be: that is no death of ours.
                why = str(error.orig).splitlines()[0]
                log.warning("database_busy", commands=len(works), error=why)
                return self._again(works, why)
            if _lost(error):
                raise
            failure: Exception = error
        except SoftTimeLimitExceeded:
            return self._again(works, "soft time limit passed")
        except Transient as error:
            return self._again(works, str(error), error.retry_after_seconds)
        except Exception as error:  # noqa: BLE001 - whatever a task raises must end as a recorded outcome
            failure = error
        if len(works) > 1:
            # One of them is to blame; alone, each answers for itself. What the first try did outside may stand.
            return sum(self._attempt([replace(work, begun=True)], effect) for work in works)
        if isinstance(failure, Permanent):
            return self._settle({works[0]: Park("permanent", str(failure))})
        detail = "".join(traceback.format_exception(failure))
        log.error("bug_parked", task=works[0].task, key=works[0].key, error=repr(failure))
        return self._settle({works[0]: Park("bug", detail)})

    def _transact(self, works: Sequence[Work], effect: Effect) -> int:
        with self._engine.begin() as conn:
            held = outbox.hold(conn, [w.id for w in works])
            mine = [w for w in works if w.id in held]
            poison = {w.id: self._poison(w) for w in mine if w.attempts > self._max_attempts}
            sound = [w for w in mine if w.id not in poison]
            outcomes = {**poison, **(effect(conn, sound) if sound else {})}
            return self._record(conn, {w: outcomes[w.id] for w in mine if w.id in outcomes})

    def _poison(self, work: Work) -> Park:
        log.error("poison_parked", task=work.task, key=work.key, attempts=work.attempts)
        return Park("poison", f"started {work.attempts - 1} times without an outcome")

    def _again(self, works: Sequence[Work], why: str, after_seconds: float | None = None) -> int:
        """Another time, as commands that may have begun; each by its own backoff unless a time is given."""
        return self._settle({w: Retry(after_seconds or backoff(w.failures), why, begun=True) for w in works})

    def _settle(self, outcomes: Mapping[Work, Outcome]) -> int:
        with self._engine.begin() as conn:
            held = outbox.hold(conn, [w.id for w in outcomes])
            return self._record(conn, {w: o for w, o in outcomes.items() if w.id in held})

    def _record(self, conn: sa.Connection, outcomes: Mapping[Work, Outcome]) -> int:
        parked = {w: o for w, o in outcomes.items() if isinstance(o, Park)}
        if parked:
            self._mark(conn, parked)
        outbox.finish(conn, {w.id: o for w, o in outcomes.items()})
        if self._observer is not None:
            for work, outcome in outcomes.items():
                self._observer(work, outcome)
        return len(outcomes)

    def _mark(self, conn: sa.Connection, parked: Mapping[Work, Park]) -> None:
        if self._on_parked is None:
            return
        try:
            with conn.begin_nested():
                self._on_parked(conn, parked)
        except Exception as error:
            if isinstance(error, DBAPIError) and _lost(error):
                raise
            # What cannot even be marked has all the more to be parked: otherwise it comes due for ever.
            log.error("parked_unmarked", keys=[work.key for work in parked], error=repr(error))


def _busy(error: DBAPIError) -> bool:
    """The server ended the statement and kept the connection: no lock in time, a deadlock, a time-out, a full disk."""
    return str(getattr(error.orig, "sqlstate", None)).startswith(BUSY)


def _lost(error: DBAPIError) -> bool:
    """The database is away or did not answer in time, rather than the statement being wrong."""
    return error.connection_invalidated or isinstance(error, sa.exc.OperationalError)
