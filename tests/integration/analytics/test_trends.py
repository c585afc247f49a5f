"""A burst comes in over HTTP and is listed with its reason; what is saved of a dead replica is taken over, once."""

import math
import time
from typing import Any

import httpx
import pytest
import redis

from analytics.adapters.store_clients import StoreAddress
from analytics.adapters.trend_board import RedisTrendBoard
from analytics.domain.batch import columnise
from analytics.domain.counting import count
from analytics.domain.events import Event, Timing
from analytics.domain.parts import Part, part_id
from analytics.domain.trends import Measure
from analytics.ports.trends import TrendReport
from analytics.usecases.trend_watch import TrendWatch
from servers import wait_until

START_MS = 1_764_000_000_000


class Replica:
    """A watch with a clock of its own; each turn is a second."""

    def __init__(self, url: str, name: str, now_ms: int) -> None:
        self.board = RedisTrendBoard(StoreAddress(url).client())
        self.now_ms = now_ms
        self.watch = TrendWatch(
            self.board, replica=name, clock_ms=lambda: self.now_ms, report_seconds=1, save_seconds=5, live_seconds=10
        )

    def play(self, seconds: int, **rates: int) -> None:
        for _ in range(seconds):
            events = [
                Event("e", f"u{self.now_ms}-{i}", content, "view", self.now_ms)
                for content, rate in rates.items()
                for i in range(rate)
            ]
            if events:
                parts = [Part(part_id("c", str(self.now_ms), 0), events)]
                self.watch.observe(count([columnise(parts, self.now_ms, lambda _: Timing.ON_TIME)]))
            self.now_ms += 1000
            self.watch.turn()

    def told(self, content: str) -> Measure:
        (report,) = self.board.reports().values()
        return report.measures["contents"]["5m"][content]


def test_a_new_replica_takes_over_what_a_dead_one_knew(store_url: str) -> None:
    dead = Replica(store_url, "dead", START_MS)
    dead.play(120, usual=20)
    before = dead.told("usual")

    heir = Replica(store_url, "heir", dead.now_ms)
    heir.play(16, usual=20)
    after = heir.told("usual")

    assert ["heir"] == list(heir.board.reports())
    assert before.score == pytest.approx(0, abs=6)
    assert after.count == pytest.approx(20 * 300 * (1 - math.exp(-136 / 300)), rel=0.1)
    assert after.score == pytest.approx(0, abs=6)


def test_a_replica_that_was_taken_over_begins_anew(store_url: str) -> None:
    paused = Replica(store_url, "paused", START_MS)
    paused.play(60, usual=20)
    heir = Replica(store_url, "heir", paused.now_ms + 11_000)
    heir.play(20)
    known = heir.told("usual").count

    paused.now_ms = heir.now_ms
    paused.play(1)
    reports = paused.board.reports()

    assert known > 500
    assert {"heir", "paused"} == set(reports)
    assert reports["paused"].measures["contents"]["5m"].get("usual", Measure(0, 0)).count == 0


def test_a_state_is_taken_over_once(store_url: str) -> None:
    board = RedisTrendBoard(StoreAddress(store_url).client())
    state = {"contents": b"x", "topics": b"y"}
    board.save("dead", state)
    board.report("gone", TrendReport(1, {}))

    assert ["dead"] == board.dead(since_ms=2, but="me")
    assert board.save("one", state, instead_of="dead")
    assert not board.save("two", state, instead_of="dead")
    assert (True, False) == (board.owns("one"), board.owns("two"))
    assert {} == board.reports()
    assert state == board.state("one")
    assert board.state("dead") is None


def test_a_burst_is_listed_in_five_seconds_and_one_user_makes_none(rabbit_analytics: Any, now: int) -> None:
    rabbit_analytics.edge()
    rabbit_analytics.worker(TRENDS_LIVE_SECONDS="2")

    def event(number: int, content: str, user: str, at_ms: int, topic: str) -> dict[str, Any]:
        return {"id": f"{number}", "user": user, "content": content, "kind": "view", "at_ms": at_ms, "topics": [topic]}

    # Something was usual for an hour.
    usual = [event(i, "usual", f"u{i}", now - 3_600_000 + i * 1000, "news") for i in range(3600)]
    assert 200 == rabbit_analytics.send(usual).status_code
    rabbit_analytics.wait_counted(3600)

    def asked(of: str) -> dict[str, dict[str, Any]]:
        return {one["id"]: one for one in rabbit_analytics.ask("/trends", of=of, window="5m")["trends"]}

    wait_until(lambda: rabbit_analytics.ask("/trends")["replicas"] == 1, what="a report")
    began = time.monotonic()
    at_ms = time.time_ns() // 1_000_000
    burst = [event(i, "burst", f"b{i}", at_ms, "sport") for i in range(300)]
    alone = [event(i, "alone", "loud", at_ms, "mine") for i in range(3000)]
    assert 200 == rabbit_analytics.send(burst + alone).status_code
    wait_until(lambda: "burst" in asked("contents"), what="the burst", seconds=15)
    took = time.monotonic() - began
    wait_until(lambda: "sport" in asked("topics"), what="the topic")

    assert took <= 5
    assert ["burst"] == list(asked("contents"))
    assert ["sport"] == list(asked("topics"))
    assert asked("contents")["burst"]["reason"].endswith(" events, usually none")


def test_a_question_for_another_window_is_refused_and_a_store_that_is_away_is_said(
    rabbit_analytics: Any, counters: Any
) -> None:
    rabbit_analytics.edge()
    with pytest.raises(AssertionError, match="7m"):
        rabbit_analytics.ask("/trends", window="7m")
    with redis.Redis.from_url(counters.url(0)) as client:
        client.ping()
    counters.kill()

    answer = httpx.get(
        f"http://127.0.0.1:{rabbit_analytics.port}/trends",
        headers={"Authorization": "Bearer analyst-token"},
        timeout=30,
    )

    assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
