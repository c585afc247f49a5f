"""Two hundred orders, each with a schedule by seed: what fails, in which of its steps its process is killed, which message comes twice."""

import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from grader import measuring
from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import TooBusy, Unable
from grader.killing import kill_pool
from grader.session import Session, failed, passed

ORDERS, PIECES = 200, 150
BAD, KILLED, TWICE = 40, 24, 60
"""Orders to an address that there is not, orders in the middle of which a process dies, and orders of which a message comes twice."""

STEPS = 3
"""Of the messages of an order, the one that comes twice is among the first so many."""

LEAST_KILLS, LEAST_TWICE = 3, 15
"""So often it has to happen, else nothing was shown: an order may end before its turn comes."""

NAME = re.compile(r"order-[0-9a-f]{6}-\d{3}")
PROCESSES, LIVES_SECONDS = 8, 240
IDLE_SECONDS, STILL_SECONDS = 5, 30
"""Nothing is left to do when the broker holds no message for so long; nothing moves when no task succeeds for so long."""

LOOK_SECONDS = 0.05
RESERVE_SECONDS = 10
"""Of the check's time, for saying what was seen."""

HOME = {"street": "Rua do Sol 7", "city": "Porto", "postcode": "4000-001", "country": "PT"}
NOWHERE = {"street": "?"}
FINAL = ("shipped", "cancelled")
ENDS = ("task-succeeded", "task-failed", "task-retried")

PLACE = '''"""Written by the check: many orders by one process."""

from shop import flow


def all_of(orders):
    for order in orders:
        flow.place(*order)
'''


@dataclass(frozen=True, slots=True)
class Schedule:
    """What happens to one order, beside the faults that the servers draw for each call; `twice` counts its messages from 1, 0 is none."""

    bad: bool
    killed: bool
    twice: int


def final(session: Session) -> Finding:
    """Place the orders, let happen what their schedules say, and wait until all have ended or none does any more."""
    found = worker.run(worker.Parameters(app="shop.app", concurrency=PROCESSES, lives=LIVES_SECONDS), session)
    if not found.passed:
        return found
    schedules = _drawn(session)
    session.kept["orders"] = list(schedules)
    with session.valkey.client(2) as store:
        store.set("stock", PIECES)
    session.payments.faults(
        {"server_error": 0.1, "server_error_after": 0.1, "slow": 0.4},
        slow_seconds=0.2,
        seed=session.seed + 1,
        expires_in_seconds=600.0,
    )
    session.carrier.faults(
        {"server_error": 0.15, "slow": 0.4}, slow_seconds=0.2, seed=session.seed + 2, expires_in_seconds=600.0
    )
    session.place("placing.py", PLACE)
    orders = [[name, 1200, NOWHERE if schedule.bad else HOME] for name, schedule in schedules.items()]
    end = called(session, "placing:all_of", [orders], seconds=40)
    if not end.ended or end.error:
        return failed("call", f"shop.flow:place {end.why}")
    kills, twice = _Kills(session, schedules), _Twice(session, schedules)
    _let_happen(session, [kills, twice])
    session.payments.sound()
    session.carrier.sound()
    return _judged(session, kills.hit(), twice.done)


def _drawn(session: Session) -> dict[str, Schedule]:
    names = [f"order-{session.random.randrange(16**6):06x}-{number:03}" for number in range(ORDERS)]
    bad, drawn = set(session.random.sample(names, BAD)), session.random.sample(names, KILLED + TWICE)
    killed, twice = set(drawn[:KILLED]), set(drawn[KILLED:])
    return {
        name: Schedule(name in bad, name in killed, session.random.randint(1, STEPS) if name in twice else 0)
        for name in names
    }


def _judged(session: Session, kills: int, twice: int) -> Finding:
    states = Counter(_states(session).values())
    seen = {"states": dict(states), "killed_in_a_task": kills, "messages_twice": twice}
    hanging = sum(count for state, count in states.items() if state not in FINAL)
    if hanging:
        return failed("hangs", f"{hanging} of {ORDERS} orders have not ended: {dict(states)}", **seen)
    if kills < LEAST_KILLS or twice < LEAST_TWICE:
        measuring.tell()
        raise Unable(f"only {kills} kills hit a process that worked, and only {twice} messages came twice")
    # Whoever finds nothing left does so while orders that end as cancelled hold a piece for a moment.
    could = min(ORDERS - BAD, PIECES - BAD - TWICE)
    if states["shipped"] < could:
        return failed("given-up", f"{could} orders could be shipped at least, and {states['shipped']} were", **seen)
    return passed(
        f"{ORDERS} orders have ended: {dict(states)}, with {kills} kills in the middle and {twice} messages twice",
        **seen,
    )


def charged_once(session: Session) -> Finding:
    """By the ledger of the provider."""
    charges = Counter(entry["order_id"] for entry in session.payments.ledger("capture"))
    twice = sum(count > 1 for count in charges.values())
    if twice:
        return failed("twice", f"{twice} of {len(charges)} orders were charged more than once", twice=twice)
    return passed(f"{len(charges)} orders were charged once each")


def refunded(session: Session) -> Finding:
    """By the ledger of the provider, order by order."""
    charged = {entry["order_id"] for entry in session.payments.ledger("capture")}

    def back() -> set[str]:
        return {entry["order_id"] for entry in session.payments.ledger("refund")}

    states = _states(session)
    cancelled = {name for name, state in states.items() if state == "cancelled"}
    session.in_time(lambda: back() >= charged & cancelled, 8, every_seconds=0.2)
    kept, given = charged & cancelled - back(), back() - cancelled
    unpaid = set(states) - cancelled - charged
    seen = {"charged": len(charged), "cancelled": len(cancelled), "refunded": len(back())}
    if kept:
        return failed("kept", f"{len(kept)} cancelled orders were charged, and their money was kept", **seen)
    if given or unpaid:
        return failed(
            "given", f"{len(given)} shipped orders got their money back, {len(unpaid)} were never charged", **seen
        )
    return passed(f"{len(charged & cancelled)} cancelled orders had been charged, and have their money back", **seen)


def stock(session: Session) -> Finding:
    """Count the pieces."""
    shipped = sum(state == "shipped" for state in _states(session).values())
    with session.valkey.client(2) as store:
        left = int(store.get("stock") or 0)
    if left != PIECES - shipped:
        return failed(
            "stock", f"of {PIECES} pieces {shipped} were shipped, and {left} are left", left=left, shipped=shipped
        )
    return passed(f"of {PIECES} pieces {shipped} were shipped, and {left} are left")


class _Kills:
    """Kills a process of the worker's pool while one of them works for an order whose schedule says so."""

    GAP_SECONDS = 2.0
    """From one kill to the next: Celery gives the place of each back after 10 s, and some have to be left."""

    def __init__(self, session: Session, schedules: Mapping[str, Schedule]) -> None:
        self._session = session
        self._left = {name for name, schedule in schedules.items() if schedule.killed}
        self._once = {name for name, schedule in schedules.items() if not schedule.twice}
        self._order_of: dict[str, str] = {}
        self._running: set[str] = set()
        self._read = 0
        self._last = 0.0
        self._killed: list[tuple[int, frozenset[str]]] = []
        """After how many events, and which tasks ran then whose messages come once."""

    def happen(self) -> None:
        """Kill, if now is the moment."""
        for seen in self._session.events.all()[self._read :]:
            self._read += 1
            self._follow(seen.what)
        working = {self._order_of.get(task, "") for task in self._running}
        if not working & self._left or time.monotonic() < self._last + self.GAP_SECONDS:
            return
        self._killed.append(
            (self._read, frozenset(one for one in self._running if self._order_of.get(one) in self._once))
        )
        kill_pool(self._session.workers["worker"], most=1)
        self._last = time.monotonic()
        self._left -= working

    def hit(self) -> int:
        """How many kills ended a task in the middle: one that ran says nothing more, is lost, or begins again without having ended."""
        events = [seen.what for seen in self._session.events.all()]
        return sum(any(_died(task, events[after:]) for task in running) for after, running in self._killed)

    def _follow(self, event: Mapping[str, Any]) -> None:
        kind, task = event["type"], event.get("uuid", "")
        if kind == "task-received" and (named := NAME.search(f"{event.get('args')} {event.get('kwargs')}")):
            self._order_of[task] = named[0]
        elif kind == "task-started":
            self._running.add(task)
        elif kind in ENDS:
            self._running.discard(task)


class _Twice:
    """Sends a message again that waits at the broker, as it is, once for each order whose schedule says so."""

    def __init__(self, session: Session, schedules: Mapping[str, Schedule]) -> None:
        self._session = session
        self._left = {name: schedule.twice for name, schedule in schedules.items() if schedule.twice}
        self._known: dict[str, set[str]] = {name: set() for name in self._left}
        self.done = 0

    def happen(self) -> None:
        """Look at what waits."""
        with self._session.valkey.client() as client:
            for key in client.scan_iter(_type="list"):
                for text in client.lrange(key, 0, -1):
                    if copy := self._copy(text):
                        client.lpush(key, copy)
                        self.done += 1

    def _copy(self, text: str) -> str:
        """The same message under a tag of its own; empty when it is not its turn."""
        named = NAME.search(text)
        if named is None or named[0] not in self._left:
            return ""
        message = json.loads(text)
        known = self._known[named[0]]
        known.add(message["properties"]["delivery_tag"])
        if len(known) < self._left[named[0]]:
            return ""
        del self._left[named[0]]
        message["properties"]["delivery_tag"] = str(uuid4())
        return json.dumps(message)


def _let_happen(session: Session, parts: Sequence[_Kills | _Twice]) -> None:
    """Until every order has ended, nothing moves any more, or the time is over. Raises TooBusy when orders still end then."""
    done, ended, worked, moved, last = 0, 0, *[time.monotonic()] * 3
    while session.left() > RESERVE_SECONDS:
        for part in parts:
            part.happen()
        now = time.monotonic()
        count = sum(state in FINAL for state in _states(session).values())
        if count == ORDERS:
            return
        succeeded = sum(seen.what["type"] == "task-succeeded" for seen in session.events.all())
        last = now if count > ended else last
        moved = now if (count, succeeded) != (ended, done) else moved
        worked = worked if session.valkey.idle() else now
        ended, done = count, succeeded
        if now > worked + IDLE_SECONDS or now > moved + STILL_SECONDS:
            return
        time.sleep(LOOK_SECONDS)
    if time.monotonic() < last + STILL_SECONDS:
        raise TooBusy(f"{ended} of {ORDERS} orders have ended, and others still do")


def _died(task: str, events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the process died in which a task ran that had begun before these events."""
    kinds = ("task-started", *ENDS)
    event = next((one for one in events if one.get("uuid") == task and one["type"] in kinds), {"type": "task-started"})
    return event["type"] == "task-started" or "WorkerLostError" in str(event.get("exception"))


def _states(session: Session) -> dict[str, str]:
    with session.valkey.client(2) as store, store.pipeline(transaction=False) as asked:
        for name in session.kept["orders"]:
            asked.hget(f"order:{name}", "state")
        return {name: state or "unknown" for name, state in zip(session.kept["orders"], asked.execute(), strict=True)}
