"""Run a batch of outbox commands so that a death, a second delivery or a poisonous one costs the others nothing.

1. Count the start of every command and commit; only then may an effect begin.
2. Lock the rows, run the effect, record the outcomes and all that follows from them in one transaction.

A command that was started before without an outcome is a suspect: it may be what killed the worker. Suspects run one at a time, each
counted just before it runs, so that a poisonous command collects its attempts alone; after `max_attempts` it is parked.
What may happen twice: the effect itself (the worker died after it, before the commit). Effects therefore carry the command's key.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import sqlalchemy as sa

from chassis import command_traces, outbox, personal, tracing
from chassis.command_traces import Subject
from chassis.database import persist, single_statements
from chassis.database_errors import Kind, kind_of, reason
from chassis.errors import Permanent, Transient
from chassis.loggers import get_logger
from chassis.outbox import Outcome, Park, Retry, RetryReason, Work
from chassis.retries import backoff

log = get_logger(__name__)

OUTAGE_PATIENCE_SECONDS = 30.0
"""How long a run waits for a database that is unavailable: about one lease of the relay. Who gave up sooner would leave its commands to
wait for their lease after the database is back; after a longer outage the lease has passed, and the relay issues them at once."""

Effect = Callable[[sa.Connection, Sequence[Work]], Mapping[int, Outcome]]


LAST_SECONDS = 1.0
"""How long recording may be tried after the soft time limit. With an attempt to connect after it, this has to end before the hard one."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What an exception comes to, in words. The exception itself holds its frames, and with them a connection that may hold rows: it has to
    be gone before anything is recorded."""

    kind: Kind
    why: str
    park: Park | None = None
    """What becomes of a command that is to blame for it; None when it may work another time."""
    retry: RetryReason = "database"
    """What another time is counted by."""

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """Of whatever was raised."""
        kind = kind_of(error)
        if kind is Kind.INTERRUPTED:
            return cls(kind, "soft time limit passed", retry="out_of_time")
        if kind is not Kind.FAULT:
            return cls(kind, reason(error))
        if isinstance(error, Permanent):
            why = personal.scrub(str(error))
            return cls(kind, why, Park("permanent", why))
        return cls(
            kind, personal.scrub(repr(error)), Park("bug", personal.scrub("".join(traceback.format_exception(error))))
        )


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
        subject: Callable[[Work], Subject | None] = lambda work: None,
        patience_seconds: float = OUTAGE_PATIENCE_SECONDS,
    ) -> None:
        """`on_parked` runs in the transaction that parks, so a service can mark what the command belonged to; it may fail.

        `subject` is what spans and log lines say a command is about.
        `patience_seconds` is how long each transaction of the runner's own is tried again while the database is unavailable.
        """
        self._engine = engine
        # Counting a start is one statement; it need not be wrapped in two more.
        self._starting = single_statements(engine)
        self._max_attempts = max_attempts
        self._patience_seconds = patience_seconds
        self._on_parked = on_parked
        self._observer = observer
        self._subject = subject

    def run(self, ids: Sequence[int], effect: Effect) -> int:
        """Run the commands that are still open and free; how many got an outcome.

        A database that is unavailable is waited for. When it stays away, or the soft time limit passes, the run ends quietly but for a
        log line: every command without an outcome comes due again.
        """
        taken: list[Work] = []
        with personal.scope():
            try:
                return self._run(ids, effect, taken)
            finally:
                command_traces.over(taken, self._subject)

    def _run(self, ids: Sequence[int], effect: Effect, taken: list[Work]) -> int:
        ended = 0
        starting: Sequence[int] = ids
        works: Sequence[Work] = ()
        try:
            works, doubtful, asked = persist(partial(self._start, ids), patience_seconds=self._patience_seconds)
            starting = ()
            works = self._taken_up(works, taken, asked)
            ended += self._attempt(works, effect)
            for command_id in doubtful:
                command_traces.over(works, self._subject)
                works, asked = persist(
                    partial(self._start_suspect, command_id), patience_seconds=self._patience_seconds
                )
                works = self._taken_up(works, taken, asked)
                ended += self._attempt(works, effect)
            return ended
        except Exception as error:
            failure = Failure.of(error)
            if failure.kind is Kind.FAULT:
                raise
        log.warning("run_cut_short", kind=failure.kind, commands=len(ids), error=failure.why)
        # Who was interrupted has not waited yet, and has until the hard time limit.
        patience_seconds = LAST_SECONDS if failure.kind is Kind.INTERRUPTED else 0.0
        return ended + self._give_back(starting, works, failure, patience_seconds)

    def _taken_up(self, works: Sequence[Work], taken: list[Work], asked: int) -> Sequence[Work]:
        for work in works:
            command_traces.taken_up(work, self._subject(work), asked)
        taken += works
        return works

    def _start(self, ids: Sequence[int]) -> tuple[list[Work], list[int], int]:
        asked = tracing.now()
        with self._starting.begin() as conn:
            fresh = outbox.start_fresh(conn, ids)
            # Those just counted look like suspects from here on.
            others = set(ids) - {work.id for work in fresh}
            return fresh, outbox.suspects(conn, sorted(others)) if others else [], asked

    def _start_suspect(self, command_id: int) -> tuple[list[Work], int]:
        asked = tracing.now()
        with self._starting.begin() as conn:
            suspect = outbox.start_suspect(conn, command_id)
        return [] if suspect is None else [suspect], asked

    def _give_back(
        self, starting: Sequence[int], works: Sequence[Work], failure: Failure, patience_seconds: float
    ) -> int:
        """Record that these go on another time, if that is possible; how many. A start that stays counted would look like a death.

        `starting` are commands of which nobody knows whether a start was counted; one that was started before is left as it is.
        """

        def give_back() -> int:
            with self._engine.begin() as conn:
                counted = outbox.hold(conn, starting, most_attempts=1)
                outbox.finish(conn, {i: Retry(backoff(0), failure.why) for i in counted})
                held = outbox.hold(conn, [w.id for w in works])
                return self._record(conn, {w: self._later(w, failure) for w in works if w.id in held})

        try:
            return persist(give_back, patience_seconds=patience_seconds)
        except Exception as error:
            if kind_of(error) is Kind.FAULT:
                raise
            log.warning("not_given_back", commands=len(works) + len(starting), error=reason(error))
            return 0

    def _attempt(self, works: Sequence[Work], effect: Effect) -> int:
        if not works:
            return 0
        try:
            return self._transact(works, effect)
        except Transient as error:
            failure = Failure(Kind.UNAVAILABLE, personal.scrub(str(error)), retry="transient")
            after_seconds = error.retry_after_seconds
        except Exception as error:
            failure, after_seconds = Failure.of(error), None
            if failure.kind is Kind.INTERRUPTED:
                raise
            if failure.kind in (Kind.UNAVAILABLE, Kind.CONTENDED):
                # The database failed, or somebody holds the lock: this is not counted as a crash of the worker.
                log.warning(f"database_{failure.kind}", commands=len(works), error=failure.why)
        if failure.park is None:
            return self._again(works, failure, after_seconds)
        if len(works) > 1:
            # One of them is to blame; alone, each answers for itself. What the first try did outside may stand.
            return sum(self._attempt([replace(work, begun=True)], effect) for work in works)
        return self._settle({works[0]: failure.park})

    def _transact(self, works: Sequence[Work], effect: Effect) -> int:
        with self._engine.begin() as conn:
            held = outbox.hold(conn, [w.id for w in works])
            mine = [w for w in works if w.id in held]
            poison = {w.id: self._poison(w) for w in mine if w.attempts > self._max_attempts}
            sound = [w for w in mine if w.id not in poison]
            outcomes = {**poison, **(effect(conn, sound) if sound else {})}
            return self._record(conn, {w: outcomes[w.id] for w in mine if w.id in outcomes})

    def _poison(self, work: Work) -> Park:
        return Park("poison", f"started {work.attempts - 1} times without an outcome")

    def _again(self, works: Sequence[Work], failure: Failure, after_seconds: float | None) -> int:
        """Another time, as commands that may have begun; each by its own backoff unless a time is given."""
        return self._settle({w: self._later(w, failure, after_seconds) for w in works})

    def _later(self, work: Work, failure: Failure, after_seconds: float | None = None) -> Retry:
        return Retry(after_seconds or backoff(work.failures), failure.why, begun=True, reason=failure.retry)

    def _settle(self, outcomes: Mapping[Work, Outcome]) -> int:
        def settle() -> int:
            with self._engine.begin() as conn:
                held = outbox.hold(conn, [w.id for w in outcomes])
                return self._record(conn, {w: o for w, o in outcomes.items() if w.id in held})

        return persist(settle, patience_seconds=self._patience_seconds)

    def _record(self, conn: sa.Connection, outcomes: Mapping[Work, Outcome]) -> int:
        parked = {w: o for w, o in outcomes.items() if isinstance(o, Park)}
        if parked:
            self._mark(conn, parked)
        outbox.finish(conn, {w.id: o for w, o in outcomes.items()})
        for work, outcome in outcomes.items():
            command_traces.ended(work, outcome, self._subject(work))
            if self._observer is not None:
                self._observer(work, outcome)
        return len(outcomes)

    def _mark(self, conn: sa.Connection, parked: Mapping[Work, Park]) -> None:
        if self._on_parked is None:
            return
        try:
            with conn.begin_nested():
                self._on_parked(conn, parked)
        except Exception as error:
            if kind_of(error) is not Kind.FAULT:
                raise
            # What cannot even be marked has all the more to be parked: otherwise it comes due for ever.
            log.error("parked_unmarked", keys=[work.key for work in parked], error=repr(error))
