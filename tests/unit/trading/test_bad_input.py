"""Whatever comes is answered with a reason and changes nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.trading_schedules import EXTREMES, Schedule, opening
from trading.domain.engine import Engine
from trading.domain.inputs import INPUTS
from trading.domain.outcomes import Refused
from trading.domain.records import BadRecord, checked
from trading.domain.snapshot import snapshot
from trading.domain.terms import Input, Outcome, Rule, Side, TimeInForce, Type

INTEGERS = st.one_of(st.sampled_from(EXTREMES), st.integers(0, 7), st.integers(-(2**63), 2**63 - 1))
GOOD = (Input.NEW, 1, 1, 1, 1, Side.BUY, Type.LIMIT, TimeInForce.DAY, 100, 0, 5)


def opened() -> Engine:
    engine = Engine()
    for record in opening():
        engine.apply(record)
    return engine


def lasting(engine: Engine) -> dict[str, Any]:
    """The state without what a refused input changes as well: sequence number, used client ids, rates."""
    state: dict[str, Any] = snapshot(engine)
    del state["engine"], state["sessions"]
    state["accounts"] = [(*row[:7], row[9]) for row in state["accounts"]]
    state["holdings"] = [row for row in state["holdings"] if row[2]]
    return state


@given(st.data())
def test_any_integers_are_answered_and_a_refusal_changes_nothing(data: st.DataObject) -> None:
    engine = opened()
    for record in Schedule(data.draw(st.integers(0, 50))).records(40):
        engine.apply(record)
    kind = data.draw(st.sampled_from(list(INPUTS)))
    record = checked([int(kind), *(data.draw(INTEGERS) for _ in INPUTS[kind]._fields[1:])])
    before = lasting(engine)

    outcomes = engine.apply(record)

    assert all(type(number) is int and -(2**63) <= number < 2**63 for outcome in outcomes for number in outcome)
    if outcomes and outcomes[0][0] == Outcome.REFUSED:
        assert Rule(Refused(*outcomes[0]).rule) is not Rule.NONE
        assert before == lasting(engine)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("session", 0, Rule.MALFORMED),
        ("session", 2**32, Rule.MALFORMED),
        ("client_id", 0, Rule.ID_NOT_RISING),
        ("client_id", -1, Rule.ID_NOT_RISING),
        ("account", 99, Rule.UNKNOWN_ACCOUNT),
        ("symbol", 99, Rule.UNKNOWN_SYMBOL),
        ("side", 0, Rule.MALFORMED),
        ("side", 3, Rule.MALFORMED),
        ("type", 5, Rule.MALFORMED),
        ("time_in_force", 5, Rule.MALFORMED),
        ("price", 0, Rule.MALFORMED),
        ("price", -100, Rule.MALFORMED),
        ("price", 2**62, Rule.COLLAR_HIGH),
        ("stop_price", 1, Rule.MALFORMED),
        ("quantity", 0, Rule.MALFORMED),
        ("quantity", -5, Rule.MALFORMED),
        ("quantity", 2**62, Rule.SIZE),
    ],
)
def test_a_wrong_field_of_an_order_is_named(field: str, value: int, rule: Rule) -> None:
    record = INPUTS[Input.NEW](*GOOD)._replace(**{field: value})

    outcomes = [Refused(*outcome) for outcome in opened().apply(record)]

    assert [(rule, value)] == [(one.rule, one.value) for one in outcomes]
    if rule == Rule.MALFORMED:
        assert field == INPUTS[Input.NEW]._fields[outcomes[0].limit]


def test_a_replayed_order_is_refused_and_trades_once() -> None:
    engine = opened()
    engine.apply(GOOD)

    assert [(Outcome.REFUSED, 1, 1, Rule.ID_NOT_RISING, 1, 1)] == engine.apply(GOOD)
    assert [(100, 5)] == engine.books[1].bids.depth(5)


@pytest.mark.parametrize("value", [float("nan"), 1.0, 1.5, None, "100", True, 2**63, -(2**63) - 1, [1]], ids=repr)
def test_what_is_no_integer_of_64_bits_is_no_record(value: object) -> None:
    with pytest.raises(BadRecord, match="price is"):
        checked([*GOOD[:8], value, 0, 5])


@pytest.mark.parametrize("fields", [[], [0, 1], [99], ["new"], [True, 1], list(GOOD[:-1]), [*GOOD, 1]], ids=repr)
def test_another_kind_or_length_is_no_record(fields: list[object]) -> None:
    with pytest.raises(BadRecord):
        checked(fields)
