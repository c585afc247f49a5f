"""Tokens: who gets in, and what is said of a list that cannot be read."""

import pytest

from chassis.errors import BadSetting
from chassis.http.problems import Problem
from chassis.http.tokens import caller_of, read_tokens
from orders.api.access import caller
from orders.usecases.intake import Caller


def test_a_customers_token_stands_for_that_customer() -> None:
    callers = read_tokens('{"t": {"customer": "c-1"}}', caller)

    assert Caller("c-1") == caller_of(callers, "t")


def test_an_operators_token_stands_for_an_operator() -> None:
    callers = read_tokens('{"t": {"role": "operator"}}', caller)

    assert caller_of(callers, "t").operator


def test_an_unknown_token_is_401() -> None:
    with pytest.raises(Problem) as refused:
        caller_of(read_tokens('{"t": {"customer": "c-1"}}', caller), "T")

    assert refused.value.status == 401


def test_without_tokens_nobody_gets_in() -> None:
    with pytest.raises(Problem):
        caller_of(read_tokens("", caller), "")


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"t": null}',
        '{"t": "operator"}',
        '{"t": {}}',
        '{"t": {"role": "admin"}}',
        '{"t": {"customer": ""}}',
        '{"t": {"customer": 7}}',
        '{"t": {"customer": ":operator"}}',
        '{"t": {"customer": "c-1", "role": "operator"}}',
    ],
)
def test_an_unreadable_token_list_stops_the_process_without_showing_it(text: str) -> None:
    with pytest.raises(BadSetting, match="API_TOKENS") as refused:
        read_tokens(text.replace('"t"', '"s3cret"'), caller)

    assert "s3cret" not in str(refused.value)


def test_the_keys_of_an_operator_are_nobody_elses() -> None:
    assert Caller(None).scope != Caller("operator").scope
