"""How long no order was taken, as its client sees it, and that no order is overlooked that is on its way."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from conductor.capstones.trading.drawn_orders import Drawn, of_the_load
from conductor.capstones.trading.fix import Disconnected, FixClient, Message
from conductor.capstones.trading.trader import Trader
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
