"""Orders that keep coming, and everything that is known of them: a journal of what was promised and broken, facts, patience, a verdict.

Everything waits for a condition, never for a time; everything that waits gives up at the drill's deadline.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from conductor.capstones.orders import checker, evidence
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.checker import Verdict
from conductor.capstones.orders.workload import Load
from conductor.errors import ApiRefused, ApiUnreachable, DrillFailed
from conductor.harness.outbox_state import Facts
from conductor.harness.reporter import Story
from conductor.history import Journal, Kill
from conductor.runtime import Reach
from conductor.waiting import until

LOOK_SECONDS = 0.1

LARGE = 500
"""Orders from which on a drill is no small one."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Size:
    """How big a drill is: orders to be accepted at least, kills at least, and how many orders are open at every blow."""

    orders: int
    seed: int = 1
    per_second: float | None = None
    """Orders placed a second at most, but while a blow waits for open ones, or the end for the last; None is as many as are answered."""
    steady: bool = False
    """Never more a second than that, whoever waits."""

    @property
    def open_orders(self) -> int:
        """A tenth of the orders: 200 of 2,000."""
        return max(5, self.orders // 10)

    @property
    def large(self) -> bool:
        """Whether blows are repeated: a small drill strikes once in each way."""
        return self.orders >= LARGE

    @property
    def kills(self) -> int:
        """One for a hundred orders: 20 of 2,000, and never fewer than one for each moment around an effect."""
        return max(3, self.orders // 100)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a drill may take in all, and how long nothing at all may move before what is open counts as lost.

    `quiet_seconds` is longer than the longest lease, backoff and restart that a drill's settings allow. An order that is open for
    longer than `hanging_seconds` no longer counts as one to be worked off before the next is placed.
    """

    total_seconds: float = 900.0
    quiet_seconds: float = 90.0
    hanging_seconds: float = 45.0


class Watch:
    """A platform's orders under a drill. One drill after the other may use the same platform, each with a journal of its own."""

    def __init__(self, reach: Reach, size: Size, story: Story, journal: Path, patience: Patience) -> None:
        self.reach = reach
        self.size = size
        self.story = story
        self.facts = Facts(reach)
        self.rng = random.Random(size.seed)
        self.journal = Journal(journal)
        self.kills: list[Kill] = []
        self._patience = patience
        self._deadline = time.monotonic() + patience.total_seconds
        self._load: Load | None = None
        self._hurry = threading.Event()

    # Orders

    @contextlib.contextmanager
    def orders(self, at_least: int | None = None) -> Iterator[Load]:
        """Orders keep coming while the block runs, and until enough were accepted: never more open than twice what a blow wants."""
        wanted = self.size.orders if at_least is None else at_least
        ceiling = 2 * self.size.open_orders
        full = threading.Event()
        load = Load(
            partial(OrdersApi.of, self.reach),
            self.journal,
            seed=self.size.seed,
            at_least=wanted,
            patience_seconds=self._patience.total_seconds,
            room=lambda: not full.is_set(),
            per_second=lambda: self.size.per_second if self.size.steady or not self._hurry.is_set() else None,
        )
        self._load = load
        over = threading.Event()
        watch = threading.Thread(target=self._pace, args=(load, ceiling, full, over), daemon=True)
        watch.start()
        try:
            with load:
                yield load
                self._hurry.set()
                if not load.finish(self.left_seconds):
                    raise DrillFailed(f"only {load.accepted} of {wanted} orders were accepted before the time was over")
        finally:
            over.set()
            watch.join()
            self._hurry.clear()

    def _pace(self, load: Load, ceiling: int, full: threading.Event, over: threading.Event) -> None:
        facts = Facts(self.reach)
        while not over.wait(LOOK_SECONDS):
            # An order that hangs must not keep others from being placed: that it hangs is for the verdict to say.
            lately = facts.open_orders(load.prefix, younger_than_seconds=self._patience.hanging_seconds)
            if lately is None:
                # The database is away, and the customers are to notice.
                full.clear()
                continue
            (full.set if lately >= ceiling else full.clear)()
            self.story.progress(load.accepted, facts.final_orders(load.prefix) or 0, self.size.orders)
        facts.close()

    def await_open(self) -> int:
        """Return when as many orders are open as every blow wants; how many there are."""
        seen = 0

        def enough() -> bool:
            nonlocal seen
            seen = self.facts.open_orders(self.load.prefix) or 0
            return seen >= self.size.open_orders

        self._hurry.set()
        try:
            self.wait_for(enough, lambda: f"{self.size.open_orders} open orders (there are {seen})")
        finally:
            self._hurry.clear()
        return seen

    def await_progress(self, orders: int | None = None) -> None:
        """Return when so many orders (a quarter of what a blow wants) that were placed from now on are final: everything works again."""
        goal = orders or max(1, self.size.open_orders // 4)
        began: datetime | None = None

        def worked_off() -> bool:
            nonlocal began
            began = began or self.facts.clock()
            if began is None:
                return False
            return (self.facts.final_orders(self.load.prefix, placed_after=began) or 0) >= goal

        self.wait_for(worked_off, f"{goal} new orders to become final")

    @property
    def load(self) -> Load:
        """The orders that come now, or came last."""
        if self._load is None:
            raise DrillFailed("no orders were placed yet")
        return self._load

    def settle(self) -> None:
        """Return when every order is final and every mail sent, or when nothing has moved for so long that nothing will."""
        if self.facts.settled(self.load.prefix):
            return
        self.story.phase("waiting until every order is final")
        mark: tuple[int, ...] = ()
        moved_at = time.monotonic()

        def settled() -> bool:
            nonlocal mark, moved_at
            found = self.facts.moved()
            if found != mark:
                mark, moved_at = found, time.monotonic()
            if self.facts.settled(self.load.prefix):
                return True
            final = self.facts.final_orders(self.load.prefix) or 0
            self.story.progress(self.load.accepted, final, self.size.orders)
            return time.monotonic() - moved_at > self._patience.quiet_seconds

        until(settled, within_seconds=self.left_seconds, every_seconds=LOOK_SECONDS)

    def verdict(self) -> Verdict:
        """The verdict on the orders of this stage."""
        return checker.judge(evidence.gather(self.reach, [self.journal.path]), only_told=True)

    def record(self, kill: Kill) -> None:
        """Write down what was broken."""
        self.kills.append(kill)
        self.journal.write(kill)

    # Patience

    @property
    def left_seconds(self) -> float:
        """Until the drill's deadline."""
        return max(0.0, self._deadline - time.monotonic())

    def wait_for(self, holds: Callable[[], bool], what: str | Callable[[], str], within_seconds: float = 180) -> None:
        """Return when it holds; DrillFailed names what was waited for."""
        if not until(holds, within_seconds=min(within_seconds, self.left_seconds), every_seconds=LOOK_SECONDS):
            raise DrillFailed(f"waited in vain for {what if isinstance(what, str) else what()}")

    def insist(self, ask: Callable[[], T]) -> T:
        """The API's answer, asked again while it is away or busy; what it refuses for good is DrillFailed."""
        answer: list[T] = []

        def answered() -> bool:
            try:
                answer.append(ask())
            except ApiUnreachable:
                return False
            except ApiRefused as error:
                if error.status in (429, 503):
                    return False
                raise DrillFailed(str(error)) from error
            return True

        self.wait_for(answered, "the API to answer")
        return answer[0]

    def expect(self, holds: bool, what: str) -> None:
        """DrillFailed when what must be is not."""
        if not holds:
            raise DrillFailed(what)

    def close(self) -> None:
        """Let go of journal and connections."""
        self.facts.close()
        self.journal.close()
