"""How long no order was taken, as its client sees it, and that no order is overlooked that is on its way."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from conductor.capstone import Patience, Size
from conductor.capstones.trading.drawn_orders import Drawn, of_a_storm, of_the_load
from conductor.capstones.trading.fix import Disconnected, FixClient, Message
from conductor.capstones.trading.trader import Trader
from conductor.capstones.trading.workload import FLOOD_WINDOW, HURRIED_WINDOW, WAYS, WINDOW, TradingWorkload, counts
from conductor.history import Journal

DRAINS_SECONDS = 0.1
ENOUGH = 10


class Venue:
    """A connection. One that `takes` nothing new knows what it was asked for, waits, and ends; one of `answers` ends after so many."""

    def __init__(self, *, takes: bool, answers: int) -> None:
        self._takes, self._answers = takes, answers
        self._sent: list[dict[int, Any]] = []

    def send(self, messages: Any) -> None:
        self._sent += [{35: kind, **dict(fields)} for kind, fields in messages]

    def receive(self, seconds: float) -> Iterator[Message]:
        for sent in self._sent:
            id = str(sent[11])
            if sent[35] == "H":
                yield {35: "8", 150: "I", 11: id, 39: "0"}
                continue
            if not self._takes:
                time.sleep(DRAINS_SECONDS)
            if not self._takes or not self._answers:
                raise Disconnected("the venue closed the connection")
            self._answers -= 1
            yield {35: "8", 150: "0", 11: id, 37: "1"}
        self._sent = []

    def close(self) -> None:
        pass


def test_a_venue_that_drains_is_away_until_it_takes_an_order(tmp_path: Path) -> None:
    connections = iter([Venue(takes=True, answers=2), Venue(takes=False, answers=0), Venue(takes=True, answers=1000)])
    trader = Trader(
        lambda: cast(FixClient, next(connections)),
        Journal(tmp_path / "journal.jsonl"),
        scope="load",
        seed=1,
        wanted=lambda: trader.accepted < ENOUGH,
        window=lambda: 3,
        per_second=lambda: None,
    )

    trader.run()

    assert 1 == len(trader.away_seconds)
    assert DRAINS_SECONDS <= trader.away_seconds[0] < 50 * DRAINS_SECONDS


def test_an_order_that_is_being_drawn_is_not_overlooked_by_who_waits_for_the_last_answer(tmp_path: Path) -> None:
    drawing, go = threading.Event(), threading.Event()
    room = 1

    def draw(source: random.Random) -> Drawn:
        drawing.set()
        assert go.wait(30)
        return of_the_load(source)

    venue = cast(FixClient, Venue(takes=True, answers=1))
    trader = Trader(
        lambda: venue,
        Journal(tmp_path / "journal.jsonl"),
        scope="load",
        seed=1,
        wanted=lambda: not trader.accepted,
        window=lambda: room,
        per_second=lambda: None,
    )
    trader.draw = draw
    trader.start()
    assert drawing.wait(30)
    room = 0  # as of now nobody sends more
    told: list[bool] = []
    asking = threading.Thread(target=lambda: told.append(trader.is_idle()))
    asking.start()
    asking.join(0.1)

    early = list(told)
    go.set()
    asking.join(30)
    trader.join(30)

    assert ([], True) == (early, trader.is_idle())


class Nowhere:
    """A platform that nothing is asked of."""

    def addresses(self) -> dict[str, str]:
        return {"fix": "tcp://127.0.0.1:1"}

    def tokens(self) -> dict[str, str]:
        return {"customer": "token"}


def test_a_load_counts_what_it_was_told_by_rule_and_by_reason(tmp_path: Path) -> None:
    workload = TradingWorkload(Nowhere(), Journal(tmp_path / "journal.jsonl"), Size(10), Patience())
    workload.trader.refusals.update({"POSITION": 2})
    workload.trader.reconnects.update(
        {"BUSY: the engine is behind": 3, "JOURNAL_FULL: no room": 1, "[Errno 104] Connection reset by peer": 4}
    )

    assert {"accepted": 0, "POSITION": 2, "BUSY": 3, "JOURNAL_FULL": 1} == counts(workload)


def test_a_load_does_otherwise_during_a_block_only(tmp_path: Path) -> None:
    workload = TradingWorkload(Nowhere(), Journal(tmp_path / "journal.jsonl"), Size(10), Patience())
    seen = []
    for way in ("hurried", "flooding", "storm"):
        with WAYS[way](workload):
            seen.append((workload._room(), workload.trader.draw is of_a_storm))

    assert [(HURRIED_WINDOW, False), (FLOOD_WINDOW, False), (WINDOW, True)] == seen
    assert (WINDOW, False) == (workload._room(), workload.trader.draw is of_a_storm)
