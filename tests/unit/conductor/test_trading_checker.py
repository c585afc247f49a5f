"""The verdict on the trading service: what the journal says is read without the service's code, and every difference is found."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from conductor.capstones.trading import journal_reader
from conductor.capstones.trading.checker import judge
from conductor.capstones.trading.evidence import Evidence
from conductor.capstones.trading.journal_reader import Journaled
from conductor.capstones.trading.promises import Acknowledged, Intent, Refused, Told
from trading.adapters.journal.writer import Journal
from trading.adapters.layouts import encode_input, encode_outcome
from trading.domain.engine import Engine
from trading.domain.terms import Input, Phase, Side, TimeInForce, Type

MARKET = (
    (Input.LIST, 1, 1, 5000),
    (Input.MARKET_DATA, 1, 1000),
    (Input.PHASE, 1, Phase.CONTINUOUS),
    (Input.PROPOSE_LIMITS, 1, 1, 10**6, 10**6, 10**6, 10**9, 10**6),
    (Input.APPROVE_LIMITS, 1, 2, 4),
    (Input.PROPOSE_LIMITS, 2, 1, 10**6, 10**6, 10**6, 10**9, 10**6),
    (Input.APPROVE_LIMITS, 2, 2, 6),
)


def order(client_id: int, account: int, side: Side, quantity: int, price: int = 1000) -> tuple[int, ...]:
    return (Input.NEW, 7, client_id, account, 1, side, Type.LIMIT, TimeInForce.DAY, price, 0, quantity)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Three orders, of which one is refused, and a trade of 3 lots; written by two engines, over two segments."""
    engine = Engine()
    inputs = [*MARKET, order(1, 1, Side.BUY, 5), order(2, 2, Side.SELL, 3), order(3, 1, Side.BUY, 10**7)]
    for half in (inputs[:8], inputs[8:]):
        with Journal(tmp_path, level="process", code_version="1", segment_bytes=16 * 4096) as written:
            for record in half:
                outcomes = engine.apply(tuple(map(int, record)))
                written.commit([b"".join((encode_input(record), *map(encode_outcome, outcomes)))])
    return tmp_path


def test_the_journal_is_read_as_it_was_written(journal: Path) -> None:
    found = journal_reader.read(journal)

    assert found.taken == Counter({(7, 1): 1, (7, 2): 1})
    assert found.refused == {(7, 3): ("SIZE", 10**7, 10**6)}
    assert dict(found.fills) == {(7, 1): Counter({"T1-1-1": 3}), (7, 2): Counter({"T1-1-0": 3})}
    assert found.sides == Counter({(1, 1, Side.BUY): 1, (1, 1, Side.SELL): 1})
    assert (found.inputs, found.holders, found.gaps) == (10, [1, 2], [])


INTENT = Intent(0.0, "load", 7, 1, 1, "AAPL", 1, "10.00", 5)
TOLD = Told(
    intents={(7, 1): INTENT, (7, 2): INTENT, (7, 3): INTENT, (7, 4): INTENT},
    acknowledged={(7, 1): Acknowledged(0.0, 7, 1, 8), (7, 2): Acknowledged(0.0, 7, 2, 9)},
    refused={(7, 3): Refused(0.0, 7, 3, "SIZE: 10000000, limit 1000000")},
    fills={(7, 1): {"T1-1-1": 3}},
    kills=(),
)


def judged(told: Told, found: Journaled, *said: str) -> list[tuple[str, str]]:
    verdict = judge(Evidence(told, found, said, ()), only_told=True)
    return sorted({(one.fault, one.subject) for one in verdict.findings})


def test_what_agrees_is_sound(journal: Path) -> None:
    verdict = judge(Evidence(TOLD, journal_reader.read(journal), (), ()), only_told=True)

    assert verdict.sound
    assert (verdict.accepted, verdict.completed, verdict.counts["unknown"], verdict.counts["engines"]) == (2, 2, 1, 2)


def test_every_difference_is_found(journal: Path) -> None:
    found = journal_reader.read(journal)

    lost = {**TOLD.acknowledged, (7, 4): Acknowledged(0.0, 7, 4, 10)}
    assert [("lost", "7:4")] == judged(replace(TOLD, acknowledged=lost), found)
    assert [("lost", "7:1")] == judged(replace(TOLD, fills={(7, 1): {"T1-2-1": 1}}), found)
    assert [("doubled", "7:1")] == judged(replace(TOLD, refused={(7, 1): Refused(0.0, 7, 1, "no")}), found)
    found.taken[7, 2] += 1
    found.sides[1, 1, 2] += 1
    assert [("doubled", "7:2"), ("doubled", "trade 1-1")] == judged(TOLD, found)


@pytest.mark.parametrize("holders", [[1, 2, 1], [1, 1], [2, 1]])
def test_two_engines_that_hold_one_journal_are_found(holders: list[int]) -> None:
    assert [("doubled", "journal")] == judged(Told({}, {}, {}, {}, ()), Journaled(holders=holders))


def test_what_the_audit_says_is_a_finding() -> None:
    assert [("lost", "journal")] == judged(Told({}, {}, {}, {}, ()), Journaled(), "audit verify: a byte is another")


def test_orders_that_no_history_tells_of_count_where_everything_is_judged(journal: Path) -> None:
    nothing, found = Told({}, {}, {}, {}, ()), journal_reader.read(journal)
    whole, part = (judge(Evidence(nothing, found, (), ()), only_told=only) for only in (False, True))
    some = judge(Evidence(replace(TOLD, intents={(7, 1): INTENT}), found, (), ()), only_told=False)

    assert (2, 2, 2, 1) == (whole.accepted, whole.completed, whole.counts["untold"], whole.counts["trades"])
    assert (0, 0, None) == (part.accepted, part.completed, part.counts.get("untold"))
    assert (2, 1) == (some.accepted, some.counts["untold"])
    assert whole.sound
    found.taken[7, 2] += 1
    assert not judge(Evidence(nothing, found, (), ()), only_told=False).sound
