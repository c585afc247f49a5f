"""When a feed began and when its server was away, kept in its store: a market that nobody simulated for a while was paused.

Without that, whoever follows the feed would have to read all ticks of a night, or of a week, at the next start.
"""

from dataclasses import replace

from outside.store import Store
from outside.ticks import Pause, Ticks

SCHEMA = """
CREATE TABLE IF NOT EXISTS feed (seed INTEGER PRIMARY KEY, began_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS alive (seed INTEGER PRIMARY KEY, at_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pauses (seed INTEGER, first INTEGER, later_us INTEGER NOT NULL, PRIMARY KEY (seed, first));
"""
ALIVE_SECONDS = 5.0
"""How often the server notes that it is there."""
MARGIN_US = 10_000_000
"""No tick was told that is later than the last note by more."""
PAUSE_US = 60_000_000
"""A server that was away for longer was paused; a shorter time is told when it is back."""


def resumed(store: Store, ticks: Ticks, now_us: int) -> Ticks:
    """The feed as it goes on now. `ticks` say seed, rate and prices, and when it begins if it never did. For a running event loop."""
    found = store.one("SELECT began_us FROM feed WHERE seed = ?", ticks.seed)
    if found is None:
        store.write("INSERT INTO feed VALUES (?, ?)", ticks.seed, ticks.began_us)
        return ticks
    rows = store.all("SELECT first, later_us FROM pauses WHERE seed = ? ORDER BY first", ticks.seed)
    before = replace(ticks, began_us=found["began_us"], pauses=tuple(Pause(*row) for row in rows))
    alive = store.one("SELECT at_us FROM alive WHERE seed = ?", ticks.seed)
    if alive is None or now_us - alive["at_us"] <= PAUSE_US:
        return before
    after = before.paused(alive["at_us"] + MARGIN_US, now_us)
    store.write("INSERT OR REPLACE INTO pauses VALUES (?, ?, ?)", ticks.seed, *after.pauses[-1])
    return after


def note_alive(store: Store, seed: int, now_us: int) -> None:
    """Note that the server is there."""
    store.write("INSERT INTO alive VALUES (?, ?) ON CONFLICT (seed) DO UPDATE SET at_us = excluded.at_us", seed, now_us)
