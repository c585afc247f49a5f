"""A feed whose server was away goes on where it was, and never tells a tick differently."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outside import feed_times
from outside.store import Store
from outside.ticks import Pause, Ticks

SECOND_US = 1_000_000
NOW_US = time.time_ns() // 1000
FEED = Ticks(seed=3, rate=20, began_us=NOW_US)


@given(st.lists(st.tuples(st.integers(SECOND_US, 10**10), st.integers(1, 10**12)), max_size=5))
def test_numbers_and_times_rise_over_any_pauses(pauses: list[tuple[int, int]]) -> None:
    feed, at_us = FEED, NOW_US
    for ran_us, away_us in pauses:
        at_us += ran_us
        feed, told = feed.paused(at_us, at_us + away_us), feed.due(at_us)
        at_us += away_us

        assert told <= feed.due(at_us - 1) < feed.pauses[-1].first
        assert feed.due(at_us + 20 * SECOND_US) >= feed.pauses[-1].first
    edges = [number for pause in feed.pauses for number in (pause.first - 1, pause.first)]
    times = [feed.at_us(number) for number in edges]
    assert sorted(times) == times


def restarted(folder: Path, now_us: int, feed: Ticks = FEED) -> Ticks:
    """What a server that starts at this moment tells; it is there for a moment."""

    async def run() -> Ticks:
        store = Store(folder / "feed.sqlite3", feed_times.SCHEMA)
        found = feed_times.resumed(store, feed, now_us)
        feed_times.note_alive(store, feed.seed, now_us)
        await store.committed()
        store.close()
        return found

    return asyncio.run(run())


def test_a_server_that_was_away_for_a_night_has_nothing_to_tell_of_it(tmp_path: Path) -> None:
    morning_us, next_us = NOW_US + 10 * 3600 * SECOND_US, NOW_US + 20 * 3600 * SECOND_US
    restarted(tmp_path, NOW_US)
    first = restarted(tmp_path, morning_us, replace(FEED, began_us=morning_us))
    second = restarted(tmp_path, next_us, replace(FEED, began_us=next_us))

    assert first.due(morning_us) < 500
    assert second.due(next_us) < 1000
    assert first.pauses == second.pauses[:1]
    assert first.at_us(first.pauses[0].first) == pytest.approx(morning_us, abs=1)


def test_a_short_absence_is_told_in_full(tmp_path: Path) -> None:
    restarted(tmp_path, NOW_US)
    later_us = NOW_US + 30 * SECOND_US

    assert restarted(tmp_path, later_us, replace(FEED, began_us=later_us)) == FEED
    assert FEED.at_us(400) == replace(FEED, pauses=(Pause(500, 7),)).at_us(400)
