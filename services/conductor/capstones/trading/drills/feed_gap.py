"""The market's feed leaves ticks out, sends them twice and in the wrong order, and its reader is killed: no candle is another for it.

What was left out is asked for by number. The reference is made of all ticks, as the feed tells them afterwards, without the service's code.
"""

import time
from typing import Any

from conductor import http_client
from conductor.capstones.trading.drawn_orders import SYMBOLS
from conductor.capstones.trading.outside import TICKS_PER_SECOND
from conductor.capstones.trading.reference_candles import Candle, Key, candles
from conductor.harness.dependency_faults import call
from conductor.harness.drill import Drill
from conductor.harness.session import Session

MARKET, FEED = "market", "market"
"""The pool, and the name under which the service keeps the feed."""
ROUNDS = 4
TICKS = 2 * TICKS_PER_SECOND
"""That are spoilt at once."""
PAGE = 10_000
REFILLED_SECONDS, ANSWER_SECONDS = 60.0, 30.0
_KEPT = """
    SELECT f.sequence, c.symbol, c.span_us, c.begin_us, c.open, c.high, c.low, c.close, c.quantity, c.trades
    FROM feeds f LEFT JOIN candles c ON c.feed = f.feed WHERE f.feed = %s
"""
NAMES = dict(enumerate(SYMBOLS, start=1))
"""Of the symbols, by their numbers in the database."""


def play(session: Session) -> None:
    """Spoil the stream in each way, twice with a kill of its reader, and compare the candles."""
    with session.load():
        session.wait_for(lambda: _sequence(session) > 0, "the first ticks")
        for number in range(1, (ROUNDS if session.size.large else 1) + 1):
            for how in ("drop", "disorder"):
                spoilt = call(session.reach, "POST", "feed", how, {"ticks": TICKS})
                if number % 2:
                    session.kill_process(MARKET)
                _await(session, how, spoilt)
    last, kept = _kept(session)
    expected = candles(_ticks(session, last))
    wrong = sorted(key for key in kept.keys() | expected.keys() if kept.get(key) != expected.get(key))
    session.expect(
        not wrong,
        f"{len(wrong)} of {len(expected)} candles differ: "
        + "; ".join(f"{key} is {kept.get(key)}, and of the whole feed {expected.get(key)}" for key in wrong[:3]),
    )
    trades = sum(one.trades for (_, span, _), one in expected.items() if span == 60_000_000)
    session.reporter.tell(f"{len(expected)} candles of {trades} trades are those of the feed's {last} ticks")


def _await(session: Session, how: str, spoilt: dict[str, Any]) -> None:
    """Return when the ticks are in the candles: those that are left out come when they are asked for, and no later tick before them."""
    began = time.monotonic()
    session.wait_for(
        lambda: _sequence(session) > spoilt["last"],
        lambda: f"ticks {spoilt['first']} to {spoilt['last']} ({how}), the candles are at {_sequence(session)}",
        REFILLED_SECONDS,
    )
    session.reporter.tell(
        f"{how} of ticks {spoilt['first']} to {spoilt['last']}: in the candles {time.monotonic() - began:.1f} s after it began,"
        f" of which the feed takes {(spoilt['last'] - spoilt['first'] + 1) / TICKS_PER_SECOND:.1f} s"
    )


def _sequence(session: Session) -> int:
    found = session.sql("SELECT sequence FROM feeds WHERE feed = %s", FEED)
    return int(found[0][0]) if found else 0


def _kept(session: Session) -> tuple[int, dict[Key, Candle]]:
    """The service's candles and the number of the tick up to which they are, of one moment."""
    rows = session.sql(_KEPT, FEED)
    # In a cluster every value comes as text.
    return int(rows[0][0]), {
        (NAMES[int(row[1])], int(row[2]), int(row[3])): Candle(*map(int, row[4:])) for row in rows if row[1]
    }


def _ticks(session: Session, last: int) -> list[dict[str, Any]]:
    """The feed's ticks up to a number, none left out."""
    address, found = session.reach.addresses()["feed"], list[dict[str, Any]]()
    while len(found) < last:
        first = len(found) + 1
        page = f"first={first}&last={min(first + PAGE - 1, last)}"
        answer = http_client.request("GET", f"{address}/feed/ticks?{page}", timeout=ANSWER_SECONDS)
        told = answer.raise_for_status().json()["ticks"]
        session.expect(bool(told), f"the feed tells no tick from {first} on, and the candles are at {last}")
        found += told
    return found


DRILL = Drill("feed-gap", "loses, doubles and reorders ticks of the market's feed", play, requests=5_000)
