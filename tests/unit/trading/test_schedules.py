"""Laws of the engine over random schedules; SCHEDULES says how many, `make trading-schedules` runs 1,000."""

import os
from collections import Counter
from random import Random

import pytest

from fakes.slow_exchange import SlowExchange
from fakes.trade_observer import Observer
from fakes.trading_schedules import SYMBOLS, Schedule
from trading.domain import execution
from trading.domain.engine import Engine
from trading.domain.outcomes import Cancelled, Refused
from trading.domain.snapshot import restore, snapshot
from trading.domain.terms import Outcome, Reason, Rule, Side

SCHEDULES = int(os.environ.get("SCHEDULES", "150"))
INPUTS = 300
CHUNK = 25
CHUNKS = [range(first, min(first + CHUNK, SCHEDULES)) for first in range(0, SCHEDULES, CHUNK)]


@pytest.mark.parametrize("seeds", CHUNKS, ids=str)
def test_the_engine_does_what_the_slow_exchange_does(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in seeds:
        cascade = 100 if seed % 2 else 1
        monkeypatch.setattr(execution, "CASCADE", cascade)
        engine, slow = Engine(), SlowExchange(cascade=cascade)

        for record in Schedule(seed).records(INPUTS):
            expected = slow.apply(record)
            assert expected == engine.apply(record), f"seed {seed}, input {engine.sequence}: {record}"


@pytest.mark.parametrize("seeds", CHUNKS, ids=str)
def test_no_law_of_trading_is_broken(seeds: range) -> None:
    for seed in seeds:
        engine, observer = Engine(), Observer()

        for record in Schedule(seed).records(INPUTS):
            observer.see(record, engine.apply(record))
            for book in engine.books.values():
                assert observer.depth(book.symbol, Side.BUY) == book.bids.depth(1_000), f"seed {seed}: {record}"
                assert observer.depth(book.symbol, Side.SELL) == book.asks.depth(1_000), f"seed {seed}: {record}"
        held = {
            (one.account_id, book.symbol): one.position
            for book in engine.books.values()
            for one in book.holdings.values()
        }
        assert {key: lots for key, lots in observer.positions.items() if lots} == {k: v for k, v in held.items() if v}
        assert all(0 == sum(v for (_, symbol), v in held.items() if symbol == one) for one in SYMBOLS)


@pytest.mark.parametrize("seeds", CHUNKS, ids=str)
def test_a_restored_engine_goes_on_as_the_first_would(seeds: range) -> None:
    for seed in seeds:
        engine = other = Engine()
        moments = set(Random(seed).sample(range(INPUTS), 3))

        for number, record in enumerate(Schedule(seed).records(INPUTS)):
            assert engine.apply(record) == (other.apply(record) if other is not engine else None) or other is engine
            if number in moments:
                data = snapshot(engine)
                other = restore(data)
                assert data == snapshot(other)
        assert snapshot(engine) == snapshot(other)


def test_the_schedules_meet_every_outcome_rule_and_reason() -> None:
    met: Counter[str] = Counter()
    for seed in range(40):
        engine = Engine()
        for record in Schedule(seed).records(INPUTS):
            for outcome in engine.apply(record):
                met[repr(Outcome(outcome[0]))] += 1
                if outcome[0] == Outcome.REFUSED:
                    met[repr(Rule(Refused(*outcome).rule))] += 1
                elif outcome[0] == Outcome.CANCELLED:
                    met[repr(Reason(Cancelled(*outcome).reason))] += 1

    assert set() == {repr(one) for one in (*Outcome, *Rule, *Reason) if one is not Rule.NONE} - set(met)
