"""What a verdict says of limits and kill switches: the engine keeps them in random schedules, and one that did not is found."""

from collections.abc import Iterable
from functools import cache

import pytest

from conductor.capstones.trading.rule_check import RULES, RuleCheck
from fakes.trading_schedules import journaled
from trading.adapters.layouts import encode_input, encode_outcome
from trading.domain.engine import Engine
from trading.domain.terms import Input, Outcome, Rule, Scope, Switch

SEEDS, INPUTS = range(32), 300

Record = tuple[int, ...]
Step = tuple[Record, list[Record]]


@cache
def played(seed: int) -> tuple[Step, ...]:
    """A random schedule, as far as it can be written to a journal, with what the engine makes of it."""
    return tuple((record, outcomes) for record, outcomes, _ in journaled(Engine(), seed, INPUTS))


def followed(steps: Iterable[Step]) -> tuple[RuleCheck, set[str]]:
    check, met = RuleCheck(), set()
    for sequence, (record, outcomes) in enumerate(steps, start=1):
        said = check.follow(sequence, encode_input(record), list(map(encode_outcome, outcomes)))
        met |= {said[0]} if said else set()
    return check, met


def refused(step: Step, rule: int) -> bool:
    (kind, *_), (outcome, *_) = step[0], step[1] or [(0,)]
    return kind == Input.NEW and outcome[0] == Outcome.REFUSED and outcome[3] == rule


def test_an_engine_that_keeps_the_rules_is_never_blamed() -> None:
    met: set[str] = set()
    for seed in SEEDS:
        check, rules = followed(played(seed))
        met |= rules

        assert [] == check.wrong, f"seed {seed}"
    assert set(RULES.values()) == met


def test_the_rules_have_the_engines_numbers() -> None:
    assert {number: Rule(number).name for number in RULES} == RULES


@pytest.mark.parametrize("rule", RULES, ids=RULES.get)
def test_an_order_that_was_taken_against_a_rule_is_found(rule: int) -> None:
    steps = next(steps for steps in map(played, SEEDS) if any(refused(step, rule) for step in steps))
    at = next(index for index, step in enumerate(steps) if refused(step, rule))
    order = steps[at][0]
    taken = (order, [(Outcome.ACKNOWLEDGED, order[1], order[2], at + 1, *order[3:])])

    (wrong,) = followed((*steps[:at], taken))[0].wrong

    assert f"it was taken, and by the rules {RULES[rule]} (" in wrong


def test_another_number_in_a_refusal_is_found() -> None:
    steps = next(steps for steps in map(played, SEEDS) if any(refused(step, Rule.SIZE) for step in steps))
    at = next(index for index, step in enumerate(steps) if refused(step, Rule.SIZE))
    record, ((*head, limit),) = steps[at]

    (wrong,) = followed((*steps[:at], (record, [(*head, limit + 1)])))[0].wrong

    assert f"limit {limit + 1})" in wrong


def test_a_kill_switch_that_cancels_too_little_or_too_much_is_found() -> None:
    _, outcomes = next(
        step for step in played(1) if step[0][0] == Input.NEW and len(step[1]) == 1 and not step[1][0][10]
    )
    _, *order = outcomes[0]
    resting = (*order[:6], order[-1])
    steps = (
        *(step for step in played(1) if step[0][0] not in (Input.NEW, Input.REPLACE)),
        ((Input.NEW, *order[:2], *order[3:]), outcomes),
    )
    cancelled = (Outcome.CANCELLED, *resting, 4, 0, 0, 0, 0)

    (rests,) = followed((*steps, ((Input.KILL, Scope.ALL, 0, Switch.CANCEL), [])))[0].wrong[-1:]
    (left,) = followed((*steps, ((Input.KILL, Scope.ALL, 0, Switch.KEEP), [cancelled])))[0].wrong[-1:]

    assert ("to be cancelled, and rest" in rests, "and were cancelled" in left) == (True, True)
