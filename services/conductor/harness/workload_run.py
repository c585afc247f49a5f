"""A capstone's requests under a drill, and what is known of them: a history of what was promised and broken, progress, a verdict.

Everything waits for a condition, never for a time; everything that waits gives up at the drill's deadline.
"""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path

from conductor.capabilities import OwnsShard, SteersLoad
from conductor.capstone import Capstone, Patience, Progress, Size, Workload, capability, offered
from conductor.errors import DrillFailed
from conductor.harness.background import in_background
from conductor.harness.outbox_state import OutboxState
from conductor.harness.reporter import Reporter
from conductor.history import Journal, Kill
from conductor.runtime import Reach
from conductor.verdict import Verdict
from conductor.waiting import until

LOOK_SECONDS = 0.1
REPORT_SECONDS = 0.5

REST_SHARE = 2.0
"""How many times longer the last requests may take than they would at the rate so far: redelivered work is slower than fresh work."""


class WorkloadRun:
    """One run. One drill after the other may use the same platform, each with a journal of its own."""

    def __init__(
        self, capstone: Capstone, access: Reach, size: Size, reporter: Reporter, journal: Path, patience: Patience
    ) -> None:
        self.capstone = capstone
        self.access = access
        self.size = size
        self.reporter = reporter
        self.outbox = OutboxState(access)
        self.rng = random.Random(size.seed)
        self.journal = Journal(journal)
        self.kills: list[Kill] = []
        self._patience = patience
        self._deadline = time.monotonic() + patience.total_seconds
        self._latest = self._deadline + patience.total_seconds
        self._load_began = time.monotonic()
        self._workload: Workload | None = None
        self._progress: Progress | None = None

    # Load

    @contextlib.contextmanager
    def load(self) -> Iterator[Workload]:
        """Requests keep coming while the block runs, and until enough were accepted; none comes after a block that failed."""
        workload = self.capstone.workload(self.access, self.journal, self.size, self._patience)
        self._workload, self._progress = workload, self.capstone.progress(self.access, workload.scope)
        with in_background(partial(self._report, workload)):
            self._load_began = time.monotonic()
            workload.start()
            try:
                yield workload
            except BaseException:
                workload.finish(0)
                raise
            self._allow_for_the_rest()
            if not workload.finish(self.left_seconds):
                raise DrillFailed(
                    f"only {workload.accepted} of {self.size.requests} requests were accepted before the time was over"
                )

    def _report(self, workload: Workload, over: threading.Event) -> None:
        with contextlib.closing(self.capstone.progress(self.access, workload.scope)) as progress:
            while not over.wait(REPORT_SECONDS):
                self.reporter.progress(workload.accepted, progress.completed() or 0, self.size.requests)

    @property
    def workload(self) -> Workload:
        """The requests that come now, or came last."""
        if self._workload is None:
            raise DrillFailed("no request was sent yet")
        return self._workload

    @property
    def progress(self) -> Progress:
        """How far they are."""
        if self._progress is None:
            raise DrillFailed("no request was sent yet")
        return self._progress

    def steered(self, way: str) -> AbstractContextManager[object]:
        """The load does otherwise during the block; see capabilities.SteersLoad."""
        return capability(self.capstone, SteersLoad).ways[way](self.workload)

    def counted(self) -> Mapping[str, int]:
        """What it was told so far; see capabilities.SteersLoad."""
        return Counter(capability(self.capstone, SteersLoad).counts(self.workload))

    def await_loaded(self) -> int:
        """Wait until as many requests are in flight as every fault wants. Returns their number."""
        seen: list[int] = []

        def enough() -> bool:
            found = self.workload.loaded()
            seen[:] = [] if found is None else [found]
            return found is not None

        with self.workload.hurried():
            self.wait_for(
                enough,
                lambda: f"{self.size.in_flight} requests in flight (there are {self.progress.in_flight() or 0})",
            )
        return seen[0]

    def await_progress(self, requests: int | None = None) -> None:
        """Return when so many requests (a quarter of what a fault wants) that were accepted from now on are completed."""
        goal = requests or max(1, self.size.in_flight // 4)
        began: datetime | None = None

        def worked_off() -> bool:
            nonlocal began
            began = began or self.progress.clock()
            return began is not None and (self.progress.completed(began) or 0) >= goal

        self.wait_for(worked_off, f"{goal} new requests to be completed")

    @property
    def away_seconds(self) -> Sequence[float]:
        """See capabilities.OwnsShard; nothing for a capstone that owns none."""
        shard = offered(self.capstone, OwnsShard)
        return shard.away_seconds(self.workload) if shard else ()

    def await_back(self, times: int) -> float:
        """Return when requests are answered now, after one more than so many times at least that none was. Returns the longest since then.

        A shard may have been away for another reason just before the fault, and be away for that one now.
        """
        shard, asked = capability(self.capstone, OwnsShard), time.monotonic()
        self.wait_for(
            lambda: len(self.away_seconds) > times and shard.answered_at(self.workload) > asked,
            "requests to be answered again",
        )
        return max(self.away_seconds[times:])

    def settle(self) -> None:
        """Return when every request is completed and nothing is left to do, or when nothing has moved for so long that nothing will."""
        if self.progress.settled():
            return
        self.reporter.phase("waiting until every request is completed")
        self._allow_for_the_rest()
        mark: tuple[int, ...] = ()
        moved_at = time.monotonic()

        def settled() -> bool:
            nonlocal mark, moved_at
            found = self.progress.moved()
            if found != mark:
                mark, moved_at = found, time.monotonic()
            if self.progress.settled():
                return True
            self.reporter.progress(self.workload.accepted, self.progress.completed() or 0, self.size.requests)
            return time.monotonic() - moved_at > self._patience.quiet_seconds

        until(settled, within_seconds=self.left_seconds, every_seconds=LOOK_SECONDS)

    def verdict(self) -> Verdict:
        """The verdict on the requests of this run."""
        return self.capstone.judge(self.access, [self.journal.path], only_told=True)

    def record(self, kill: Kill) -> None:
        """Write down what was broken."""
        self.kills.append(kill)
        self.journal.write(kill)

    # Patience

    @property
    def left_seconds(self) -> float:
        """Until the drill's deadline."""
        return max(0.0, self._deadline - time.monotonic())

    def _allow_for_the_rest(self) -> None:
        """After the faults: move the deadline to when the rest is completed at the rate measured so far, by `total_seconds` at most."""
        completed, now = self.progress.completed(), time.monotonic()
        if not completed:
            return
        rate = completed / (now - self._load_began)
        rest = max(self.size.requests, self.workload.accepted) - completed
        wanted = min(now + REST_SHARE * rest / rate, self._latest)
        if wanted > self._deadline:
            self.reporter.tell(
                f"{rest} requests are to be completed, at {rate:.1f} a second: {wanted - now:.0f} s are left for that"
            )
            self._deadline = wanted

    def wait_for(self, holds: Callable[[], bool], what: str | Callable[[], str], within_seconds: float = 180) -> None:
        """Return when it holds; DrillFailed names what was waited for."""
        if not until(holds, within_seconds=min(within_seconds, self.left_seconds), every_seconds=LOOK_SECONDS):
            raise DrillFailed(f"waited in vain for {what if isinstance(what, str) else what()}")

    def expect(self, holds: bool, what: str) -> None:
        """DrillFailed when what must be is not."""
        if not holds:
            raise DrillFailed(what)

    def close(self) -> None:
        """Let go of journal and connections."""
        self.outbox.close()
        if self._progress is not None:
            self._progress.close()
        self.journal.close()
