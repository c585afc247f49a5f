"""Which call a fault hits, and when a plan and an outage are over."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from outside.faults import Faults, OutagePlan, Plan

KNOWN = ("decline", "slow", "server_error")


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def faults(clock: Clock | None = None, **plan: Any) -> Faults:
    made = Faults(KNOWN, clock or Clock())
    if plan:
        made.start(Plan(**plan))
    return made


def draws(made: Faults, number: int = 1_000) -> list[str | None]:
    return [made.draw(KNOWN, "o-1") for _ in range(number)]


def test_without_a_plan_nothing_goes_wrong() -> None:
    assert draws(faults(), 100) == [None] * 100


def test_a_fault_hits_its_share_of_the_calls() -> None:
    hit = Counter(draws(faults(rate={"decline": 0.1, "slow": 0.3}), 10_000))

    assert 900 < hit["decline"] < 1_100
    assert 2_800 < hit["slow"] < 3_200
    assert 5_800 < hit[None] < 6_200


@given(seed=st.integers())
def test_the_same_seed_hits_the_same_calls(seed: int) -> None:
    rate = {"decline": 0.2, "slow": 0.2}

    assert draws(faults(rate=rate, seed=seed), 50) == draws(faults(rate=rate, seed=seed), 50)


def test_a_call_is_hit_only_by_faults_it_can_have() -> None:
    made = faults(rate={"decline": 1.0})

    assert made.draw(("slow", "server_error"), "o-1") is None


def test_only_calls_for_the_orders_named_are_hit() -> None:
    made = faults(rate={"decline": 1.0}, orders=["o-1"])

    assert [made.draw(KNOWN, order_id) for order_id in ("o-1", "o-2", None)] == ["decline", None, None]


def test_what_was_hit_is_counted() -> None:
    made = faults(rate={"decline": 1.0})
    draws(made, 7)

    assert made.report()["hits"] == {"decline": 7}


def test_a_plan_ends_by_itself() -> None:
    clock = Clock()
    made = faults(clock, rate={"decline": 1.0}, expires_in_seconds=5.0)
    clock.now += 4.9
    before = made.draw(KNOWN, None)
    clock.now += 0.1

    assert (before, made.draw(KNOWN, None)) == ("decline", None)
    assert made.report()["plan"] is None


def test_an_outage_ends_by_itself() -> None:
    clock = Clock()
    made = faults(clock)
    made.start_outage(OutagePlan(seconds=5.0))
    clock.now += 4.0
    left = made.outage_left_seconds
    clock.now += 1.0

    assert left == 1.0
    assert made.outage is None
    assert made.outage_left_seconds == 0.0


def test_a_plan_and_an_outage_can_be_stopped() -> None:
    made = faults(rate={"decline": 1.0})
    made.start_outage(OutagePlan(seconds=5.0))

    made.stop()
    made.stop_outage()

    assert made.plan is None
    assert made.outage is None


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"rate": {"decline": 1.1}},
        {"rate": {"decline": -0.1}},
        {"rate": {"decline": "often"}},
        {"rate": {"decline": 0.6, "slow": 0.6}},
        {"rate": {}, "expires_in_seconds": 0.0},
        {"rate": {}, "hang_seconds": -1.0},
        {"rate": {}, "ordres": ["o-1"]},
    ],
)
def test_an_impossible_plan_is_refused(plan: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Plan(**plan)
