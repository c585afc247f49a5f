"""Follows a market's data feed in a thread of its own, as the companion of a worker (see chassis.companion).

What was applied is in the database with its place in the feed, so a new reader goes on there and asks for what it missed. Ticks that the
stream left out are asked for by number; those that cannot be had are given up after a time, and counted. The feed and the database may be
away: the reader says so and tries again, and does not read on while it cannot save.
"""

import threading
import time
from collections.abc import Callable

from chassis.errors import Transient
from chassis.loggers import get_logger
from trading.adapters.feed_client import ERRORS, FeedClient
from trading.adapters.feed_lines import NoTick, Symbols, tick_from, tick_of
from trading.adapters.market_store import FeedMoved
from trading.domain.market_data import Tick
from trading.usecases.market_data import MarketData

log = get_logger(__name__)

SAVE_SECONDS = 0.2
SAVE_TICKS = 5000
RETRY_SECONDS = 1.0
REFILL_SECONDS = 0.2
"""Pause between two tries to get what is missing."""
AHEAD_US = 60_000_000
"""How far ahead of this machine's clock a tick may be."""
STARTING = "the feed is not read yet"


class FeedReader:
    """The companion. All but `_run` is called by its attendant, `metrics` by any thread."""

    def __init__(
        self, client: FeedClient, make: Callable[[], MarketData], symbols: Symbols, *, gap_seconds: float
    ) -> None:
        """`make` makes what ticks are given to, in the reader's thread, and again after a failure. `gap_seconds` is how long missing ticks
        are asked for."""
        self._client, self._make, self._symbols, self._gap_seconds = client, make, symbols, gap_seconds
        self._ended = threading.Event()
        self._thread = self._new_thread()
        self._trouble = STARTING
        self._totals: dict[str, int] = {}
        self._data: MarketData | None = None
        self._missing_since: float | None = None
        self._asked_at = 0.0
        self.without_number = 0
        """Lines that could not be followed."""

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def check(self) -> str:
        """Why the feed is not followed now; empty when it is. A reader that a fault ended is started again."""
        if not self._thread.is_alive() and not self._ended.is_set():
            self._trouble = "the feed's reader ended, and begins again"
            log.error("feed_reader_ended")
            self._thread = self._new_thread()
            self._thread.start()
        return self._trouble

    def stop(self) -> bool:
        """Save what was read, and end."""
        self._ended.set()
        self._thread.join(timeout=15.0)
        return not self._thread.is_alive()

    def counts(self) -> dict[str, int]:
        """Ticks by what became of them, since this process began."""
        counts = dict(self._totals)
        for name, number in self._now().items():
            counts[name] = counts.get(name, 0) + number
        return {**counts, "without_number": self.without_number}

    def metrics(self) -> bytes:
        """The counts in Prometheus' text format."""
        counts = self.counts()
        lines = ["# HELP trading_feed_followed Whether the feed is read and what comes is kept"]
        lines += ["# TYPE trading_feed_followed gauge", f"trading_feed_followed {int(not self._trouble)}"]
        lines += ["# TYPE trading_feed_gaps_total counter", f"trading_feed_gaps_total {counts.pop('gaps', 0)}"]
        lines += ["# HELP trading_feed_ticks_total Ticks that were not simply believed, by what became of them"]
        lines += ["# TYPE trading_feed_ticks_total counter"]
        lines += [f'trading_feed_ticks_total{{fate="{name}"}} {number}' for name, number in sorted(counts.items())]
        return ("\n".join(lines) + "\n").encode()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name="feed-reader", daemon=True)

    def _now(self) -> dict[str, int]:
        if self._data is None:
            return {}
        handler = self._data.handler
        own = {name: getattr(handler, name) for name in ("repeated", "gaps", "refilled", "lost")}
        return {**own, **{refusal.value: number for refusal, number in handler.refused.items()}}

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except (*ERRORS, Transient, FeedMoved) as error:
                if not self._trouble:
                    log.warning("feed_interrupted", error=str(error))
                self._trouble = f"the feed is not followed: {error}"
                self._ended.wait(RETRY_SECONDS)
            finally:
                self._totals, self._data = {k: v for k, v in self.counts().items() if k != "without_number"}, None

    def _follow(self) -> None:
        """Read until the feed ends the stream, or this is to end. Raises what the feed and the database raise."""
        self._data = data = self._make()
        self._missing_since, saved_at = None, time.monotonic()
        for lines in self._client.lines(data.handler.sequence):
            data.take(self._ticks(lines))
            self._refill(data)
            now = time.monotonic()
            if now - saved_at >= SAVE_SECONDS or data.pending >= SAVE_TICKS or self._ended.is_set():
                self._save(data)
                saved_at = now
            if self._ended.is_set():
                return
        self._save(data)

    def _save(self, data: MarketData) -> None:
        """Save, however long the database is away; what was read stays in memory, and no more is read."""
        while True:
            try:
                data.save()
            except Transient as error:
                self._trouble = f"candles are not saved: {error}"
                if self._ended.wait(RETRY_SECONDS):
                    raise
            else:
                if self._trouble:
                    log.info("feed_followed", sequence=data.handler.sequence)
                self._trouble = ""
                return

    def _ticks(self, lines: list[bytes]) -> list[Tick]:
        latest_us = time.time_ns() // 1000 + AHEAD_US
        found: list[Tick] = []
        for line in lines:
            try:
                found.append(tick_of(line, self._symbols, latest_us))
            except NoTick as error:
                self.without_number += 1
                log.warning("feed_line_without_number", error=str(error))
        return found

    def _refill(self, data: MarketData) -> None:
        """Ask for what is missing, and do without it when it is too late."""
        now = time.monotonic()
        if data.handler.missing is None:
            self._missing_since = None
            return
        self._missing_since = self._missing_since or now
        if now - self._asked_at < REFILL_SECONDS:
            return
        self._asked_at = now
        latest_us = time.time_ns() // 1000 + AHEAD_US
        try:
            while (missing := data.handler.missing) is not None:
                again = [tick_from(told, self._symbols, latest_us) for told in self._client.ticks(*missing)]
                data.take(again)
                if data.handler.missing == missing:
                    break
        except (*ERRORS, NoTick) as error:
            log.warning("gap_not_refilled", missing=data.handler.missing, error=str(error))
        if data.handler.missing is not None and now - self._missing_since >= self._gap_seconds:
            log.error("gap_given_up", missing=data.handler.missing)
            data.give_up()
            self._missing_since = None
