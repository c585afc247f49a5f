"""Keeps the trends of one aggregator, beside its counting, and reports them to the store. Runs in a thread of its own.

All replicas report, each second, how often each candidate of any of them came, and what would be usual; the API adds the reports up. A
replica saves its sums now and then. When it dies, another one adds the saved sums to its own, so what is usual is not forgotten; what it
counted since its last save is.
"""

import threading
from collections import deque
from collections.abc import Callable
from heapq import nlargest

from analytics.domain.capped_counts import CappedCounts
from analytics.domain.counting import Growth
from analytics.domain.trends import SUBJECTS, TOPIC_WIDTH, WINDOWS, Measure, Trends
from analytics.ports.trends import TrendBoard, TrendReport
from chassis.errors import Transient
from chassis.loggers import get_logger

log = get_logger(__name__)

PENDING_WINDOWS = 64
"""Windows that wait for the thread; the oldest is left out of the trends when there are more, so memory is bounded."""

REPORTED = 100
"""Candidates that a replica names for their score, for each subject and window."""

LARGEST = 50
"""Candidates that it names besides for their count."""


class TrendWatch:
    """The trends of one process."""

    def __init__(
        self,
        board: TrendBoard,
        *,
        replica: str,
        clock_ms: Callable[[], int],
        report_seconds: float,
        save_seconds: float,
        live_seconds: float,
    ) -> None:
        """`live_seconds` after its last report a replica counts as dead."""
        self._board = board
        self._replica = replica
        self._clock_ms = clock_ms
        self._report_seconds = report_seconds
        self._save_ms = save_seconds * 1000
        self._live_ms = live_seconds * 1000
        self._pending: deque[Growth] = deque(maxlen=PENDING_WINDOWS)
        self._counts = CappedCounts()
        self._started_ms = self._added_ms = clock_ms()
        self._saved_ms: float | None = None
        self._trends = self._none()

    def observe(self, growth: Growth) -> None:
        """Take note of a window that was counted; returns at once."""
        self._pending.append(growth)

    def start(self) -> None:
        """Begin, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="trends", daemon=True).start()

    def turn(self) -> None:
        """Add what was noted, and report it. Raises Transient when the store does not take it."""
        now_ms = self._clock_ms()
        self._add(now_ms)
        if now_ms - self._started_ms < self._live_ms:
            return  # whom this process replaces may still be listed, and his sums cannot be taken over yet
        if self._saved_ms is None or now_ms - self._saved_ms >= self._save_ms:
            self._save(now_ms)
        self._board.report(self._replica, self._report(now_ms))

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.turn()
            except Transient as error:
                log.warning("trends could not be reported", error=str(error))
            except Exception:
                log.exception("a turn of the trends failed")
            pause.wait(self._report_seconds)

    def _none(self) -> dict[str, Trends]:
        now = self._clock_ms() / 1000
        return {"contents": Trends(now), "topics": Trends(now, width=TOPIC_WIDTH)}

    def _add(self, now_ms: int) -> None:
        while self._pending:
            self._counts.add(self._pending.popleft().counted)
        # Events of the current minute came evenly since the last turn, as far as one can tell.
        middle = (self._added_ms + now_ms) / 2000
        self._added_ms = now_ms
        for minute, counts in self._counts.take().items():
            at = min(middle, minute * 60.0 + 60)
            for subject in SUBJECTS:
                if found := getattr(counts, subject):
                    self._trends[subject].add(found, at=at, now=now_ms / 1000)

    def _report(self, now_ms: int) -> TrendReport:
        now = now_ms / 1000
        others = [report for name, report in self._board.reports().items() if name != self._replica]
        measures: dict[str, dict[str, dict[str, Measure]]] = {}
        for subject in SUBJECTS:
            trends, found = self._trends[subject], measures.setdefault(subject, {})
            for position, window in enumerate(WINDOWS):
                own = trends.candidates(position, now)
                by_count = nlargest(LARGEST, own.items(), key=lambda item: item[1].count)
                found[window] = {**dict([*own.items()][:REPORTED]), **dict(by_count)}
                for other in others:
                    for key in [*other.measures.get(subject, {}).get(window, {})][: REPORTED + LARGEST]:
                        if key not in found[window]:
                            found[window][key] = trends.measure(position, key, now)
        return TrendReport(now_ms, measures)

    def _save(self, now_ms: int) -> None:
        if self._saved_ms is not None and not self._board.owns(self._replica):
            # Another replica thought this one dead and has its sums now. They must not count twice.
            self._trends = self._none()
        if self._saved_ms is None:
            # Before its sums are there, so that no other replica takes them for those of a dead one.
            self._board.report(self._replica, TrendReport(now_ms, {}))
        dead = self._board.dead(since_ms=int(now_ms - self._live_ms), but=self._replica)
        self._board.save(self._replica, self._encoded())
        for name in dead:
            self._take_over(name)
        self._saved_ms = now_ms

    def _take_over(self, name: str) -> None:
        state = self._board.state(name)
        if state is None:
            return
        trends = {subject: Trends.decode(state[subject]) for subject in SUBJECTS}
        before = self._encoded()
        for subject in SUBJECTS:
            self._trends[subject].merge(trends[subject])
        if not self._board.save(self._replica, self._encoded(), instead_of=name):
            self._trends = {subject: Trends.decode(before[subject]) for subject in SUBJECTS}

    def _encoded(self) -> dict[str, bytes]:
        return {subject: self._trends[subject].encode() for subject in SUBJECTS}
