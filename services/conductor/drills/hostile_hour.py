"""An hour in which everything around the pools is strange and nothing dies: whatever arrives is run, settled or put aside with a reason.

One pool's new generation has a clock that is ahead and a telemetry collector that never answers. Pool after pool gets messages that nobody
can run, while the program that it calls gives answers that nobody can read; in between the broker has a memory alarm and the database is
read-only. The faults come in an order that the seed draws.

A neighbour is a queue that gets no strange message, and whose pool's calls are answered properly. Its commands are timed by the database's
clock: the oldest may not be open for longer than NEIGHBOUR_SECONDS more than the oldest was before any fault of this run, and than the
watch itself was kept waiting, which a busy machine does to everybody.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from conductor.capabilities import RejectsMessages, Target
from conductor.harness import dependency_faults, hostile_messages, queue_ages, silent_collector
from conductor.harness.broker_client import BrokerClient, task_headers
from conductor.harness.drill import Drill
from conductor.harness.hostile_parked import HostileParked
from conductor.harness.laptop_session import LaptopSession
from conductor.harness.queue_ages import Ages
from conductor.harness.silent_collector import SilentCollector
from conductor.runtime import Change

NEIGHBOUR_SECONDS = 2.0
SMALL_NEIGHBOUR_SECONDS = 8.0
"""Small drills are played beside others, whose load comes and goes."""
CLOCK_AHEAD_SECONDS = 20 * 60.0
CLOCK = Path(hostile_messages.__file__).with_name("clock_ahead")
CLOCK_WARNING = "clock_differs"
"""What a process logs whose clock is not the database's."""

EXPIRED = "Discarding revoked task"
"""What Celery's worker logs of a message that is too old by its clock."""

GARBLED: Mapping[str, Any] = {"rate": {"garbled": 0.25}}
ALARM_SECONDS, SMALL_ALARM_SECONDS = 20.0, 5.0
READ_ONLY_SECONDS, SMALL_READ_ONLY_SECONDS = 60.0, 6.0
MESSAGES, SMALL_MESSAGES = 56, 14
"""Strange messages a pool: all kinds, or a quarter of them, so that a small drill of four pools has had them all."""

PARKED_SECONDS, SMALL_PARKED_SECONDS = 60.0, 20.0
"""How long none of the strange messages of a pool may be parked before the others count as lost: they wait their turn in its queue."""

COLLECTED_SECONDS = 60.0


def play(session: LaptopSession) -> None:
    """Every fault once, under load; then everything that was sent is found, and no process was restarted."""
    _Hour(session).play()


class _Hour:
    def __init__(self, session: LaptopSession) -> None:
        self._session = session
        self._rng = random.Random(session.size.seed)
        self._targets = self._rng.sample(session.targets(), len(session.targets()))
        self._parked = HostileParked(session.outbox)
        self._processes: dict[str, int] = {}
        self._usual = Ages()

    def play(self) -> None:
        session = self._session
        self._look_at_processes()
        with session.load():
            session.await_loaded()
            # The first commands of new processes wait for imports and connections: they say nothing of what is usual.
            session.await_progress()
            with queue_ages.watched(session.access) as self._usual:
                session.await_progress(session.size.in_flight)
            session.reporter.tell(f"before any fault the oldest command was open for {self._told(self._usual)}")
            with self._misled():
                faults: list[Callable[[], None]] = [self._alarm, self._read_only]
                faults += [partial(self._strange, target) for target in self._targets]
                for fault in self._rng.sample(faults, len(faults)):
                    session.await_loaded()
                    self._await_calm()
                    fault()
        session.settle()
        self._expect_no_restart()
        self._expect_all_parked()

    def _await_calm(self) -> None:
        """Return when no queue is behind any more for what it was struck by before."""
        session = self._session

        def calm() -> bool:
            oldest = queue_ages.oldest(session.access)
            return oldest is not None and all(self._in_time(queue, age) for queue, age in oldest.items())

        began = time.monotonic()
        session.wait_for(calm, "the oldest open command of each queue to be about as old as before any fault")
        session.reporter.tell(
            f"  every queue is as fast as before any fault after {time.monotonic() - began:.1f} s more"
        )

    def _in_time(self, queue: str, age_seconds: float, gap_seconds: float = 0.0) -> bool:
        more = NEIGHBOUR_SECONDS if self._session.size.large else SMALL_NEIGHBOUR_SECONDS
        return age_seconds <= self._usual.seen(queue) + more + gap_seconds

    # Faults

    @contextmanager
    def _misled(self) -> Iterator[None]:
        """A pool works with a wrong clock and a silent collector in the block: the one that calls nobody, and decides."""
        session = self._session
        pool = next((target.pool for target in session.targets() if target.server is None), session.targets()[-1].pool)
        with silent_collector.listening() as collector:
            settings = {
                "PYTHONPATH": str(CLOCK),
                "CLOCK_AHEAD_SECONDS": f"{CLOCK_AHEAD_SECONDS:g}",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            }
            try:
                started = session.roll(pool, Change(settings)).started
                self._look_at_processes()
                what = f"{CLOCK_AHEAD_SECONDS / 60:g} min ahead, and traces for a collector that never answers"
                session.reporter.tell(f"[red]{pool} works with a clock {what}[/red]")
                yield
                self._expect_misled(started, collector)
                self._expect_no_restart()
            finally:
                rolled = session.roll(pool)
                self._look_at_processes()
            session.expect(not any(old.killed for old in rolled.stopped), f"{pool} did not end within its grace")

    def _expect_misled(self, started: Sequence[str], collector: SilentCollector) -> None:
        session = self._session
        dropped = [name for name in started if EXPIRED in session.runtime.log(name)]
        session.expect(not dropped, f"{', '.join(dropped)} dropped messages because of its clock")
        session.wait_for(
            lambda: all(CLOCK_WARNING in session.runtime.log(name) for name in started),
            f"a warning of {', '.join(started)} that its clock differs",
        )
        session.wait_for(lambda: collector.taken > 0, "a connection to the silent collector")
        session.reporter.tell(
            f"{', '.join(started)} warned of its clock; the collector took {collector.taken} connections"
        )

    def _strange(self, target: Target) -> None:
        """Messages that nobody can run for one pool, and answers that nobody can read for its calls."""
        session = self._session
        (queue,) = session.runtime.pools()[target.pool].queues
        task, ids = self._under_way(queue)
        count, patience = (MESSAGES, PARKED_SECONDS) if session.size.large else (SMALL_MESSAGES, SMALL_PARKED_SECONDS)
        first = self._targets.index(target) * count
        messages = hostile_messages.drawn(session.workload.scope, session.size.seed, first + count, ids)[first:]
        with queue_ages.watched(session.access) as ages, self._garbled(target):
            began = time.monotonic()
            with BrokerClient.of(session.runtime) as broker:
                for message in messages:
                    headers = {**task_headers(task), **message.headers}
                    broker.send_raw(queue, message.body, headers=headers, **message.properties)
            self._parked.sent += messages
            while missing := len(self._parked.missing()):
                session.wait_for(partial(self._fewer_missing_than, missing), self._parked.tell_missing, patience)
            session.reporter.tell(
                f"{target.pool}: {len(messages)} strange messages were parked in {time.monotonic() - began:.1f} s"
            )
            session.await_progress()
        self._expect_in_time(ages, struck=queue)

    @contextmanager
    def _garbled(self, *targets: Target) -> Iterator[None]:
        """The programs that these pools call say what nobody can read now and then."""
        with ExitStack() as stack:
            for server in dict.fromkeys(target.server for target in targets if target.server):
                plan = {**GARBLED, "seed": self._rng.randrange(2**31)}
                stack.enter_context(dependency_faults.faults(self._session.access, server, plan))
            yield

    def _alarm(self) -> None:
        """The broker takes no message for a while, and requests are accepted all the same."""
        session = self._session
        seconds = ALARM_SECONDS if session.size.large else SMALL_ALARM_SECONDS
        with self._garbled(*self._targets):
            with session.runtime.memory_alarm():
                session.reporter.tell(f"[red]{session.runtime.broker} has a memory alarm[/red]")
                session.workload.submit("during-the-alarm")
                self._last(seconds)
            self._go_on(f"the alarm is over after {seconds:g} s")

    def _read_only(self) -> None:
        """The database refuses every write for a while."""
        session = self._session
        seconds = READ_ONLY_SECONDS if session.size.large else SMALL_READ_ONLY_SECONDS
        with self._garbled(*self._targets):
            with session.runtime.read_only_database():
                session.wait_for(
                    lambda: session.sql("SHOW transaction_read_only") == [("on",)], "the database to be read-only"
                )
                session.reporter.tell("[red]the database is read-only[/red]")
                self._last(seconds)
            self._go_on(f"the database takes writes again after {seconds:g} s")

    def _last(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._session.wait_for(lambda: time.monotonic() >= until, "the end of the fault")

    def _go_on(self, what: str) -> None:
        began = time.monotonic()
        self._session.await_progress()
        self._session.reporter.tell(f"{what}; {time.monotonic() - began:.1f} s later new requests are completed")

    # What must be

    def _under_way(self, queue: str) -> tuple[str, list[int]]:
        """A task of this queue, and open commands of it: what a strange message names without being allowed to harm it."""
        found: list[tuple[str, list[int]]] = []

        def some() -> bool:
            commands = self._session.outbox.under_way()
            tasks = Counter(task for task, of in commands.values() if of == queue)
            for task, _ in tasks.most_common(1):
                found.append((task, [one for one, (its, _) in commands.items() if its == task][:5]))
            return bool(found)

        self._session.wait_for(some, f"a command of {queue} to be under way")
        return found[0]

    def _fewer_missing_than(self, number: int) -> bool:
        self._expect_no_restart()
        return len(self._parked.missing()) < number

    def _expect_all_parked(self) -> None:
        """Everything that was sent is parked, nothing else is, and the dead letters are collected."""
        session, parked = self._session, self._parked
        session.expect(not parked.missing(), f"in the end one waits in vain for {parked.tell_missing()}")
        others, records = parked.others(), parked.records()
        session.expect(not others, f"{len(others)} records were parked besides: {'; '.join(map(str, others[:5]))}")
        session.expect(len(records) == len(parked.sent), f"{len(parked.sent)} messages became {len(records)} records")
        queues = [queue for pool in session.runtime.pools().values() for queue in pool.queues]
        with BrokerClient.of(session.runtime) as broker:
            session.wait_for(
                lambda: not any(map(broker.dead_letters, queues)), "the dead letters to be collected", COLLECTED_SECONDS
            )
        reasons = Counter(record.reason for record in records)
        told = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
        session.reporter.tell(f"all {len(records)} strange messages are parked ({told}), no dead letter is left")
        session.drop_parked(*(record.id for record in records))

    def _expect_in_time(self, ages: Ages, *, struck: str) -> None:
        session = self._session
        neighbours = [queue for queue in ages.oldest_seconds if queue != struck]
        late = {
            queue: ages.seen(queue)
            for queue in neighbours
            if not self._in_time(queue, ages.seen(queue), ages.gap_seconds)
        }
        told = ", ".join(
            f"{queue} {age:.1f} s instead of {self._usual.seen(queue):.1f} s" for queue, age in late.items()
        )
        session.expect(not late, f"while {struck} was struck, commands of its neighbours were open longer: {told}")
        session.reporter.tell(f"  meanwhile the oldest command was open for {self._told(ages)}")

    def _look_at_processes(self) -> None:
        self._processes = {
            tree.name: tree.pid for pool in self._session.runtime.pools() for tree in self._session.runtime.trees(pool)
        }

    def _expect_no_restart(self) -> None:
        runtime = self._session.runtime
        there = {tree.name: tree.pid for pool in runtime.pools() for tree in runtime.trees(pool)}
        self._session.expect(there == self._processes, f"a process was restarted: {self._processes} became {there}")

    @staticmethod
    def _told(ages: Ages) -> str:
        return ", ".join(f"{queue} {age:.1f} s" for queue, age in sorted(ages.oldest_seconds.items()))


DRILL = Drill(
    "hostile-hour",
    "strange messages and answers, a memory alarm, a read-only database, a wrong clock, a silent collector",
    on_laptop=play,
    needs=(RejectsMessages,),
    requests=500,
)
