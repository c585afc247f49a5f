"""The naive design that the bench compares with trades as the engine does: the same orders come to the same trades and positions."""

import importlib
from collections import defaultdict

import pytest
from loadtests.trading.orders import mixed, opened
from loadtests.trading.rival import task

from trading.domain.terms import BUY, Outcome, Reason

ORDERS, ACCOUNTS = 400, 5
"""Few accounts, so that some orders meet one of their own."""


def test_the_naive_design_comes_to_the_same_trades_and_positions(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAIVE_BROKER_URL", redis_url)
    monkeypatch.setenv("NAIVE_STORE_URL", redis_url)
    naive = importlib.import_module("loadtests.trading.naive.app")
    naive.app.conf.update(task_always_eager=True, task_eager_propagates=True)
    engine, expected, found = opened(), [], []
    positions: defaultdict[str, int] = defaultdict(int)
    stopped = 0
    for record in mixed(ORDERS, seed=5, accounts=ACCOUNTS):
        resting = 0
        for outcome in engine.apply(record):
            stopped += outcome[0] == Outcome.CANCELLED and outcome[8] == Reason.SELF_TRADE
            if outcome[0] == Outcome.EXECUTED:
                positions[f"{outcome[4]}:{outcome[5]}"] += outcome[8] if outcome[6] == BUY else -outcome[8]
                if outcome[13]:
                    resting = outcome[2]
                else:
                    expected.append((outcome[2], resting, outcome[7], outcome[8]))
        name, argument = task(record)
        result = getattr(naive, name).delay(argument).get()
        if name == "place_order":
            found += [(fill["taker"], fill["maker"], fill["price"], fill["quantity"]) for fill in result]

    assert len(expected) > 50
    assert stopped
    assert expected == found
    kept = {name: int(lots) for name, lots in naive.store.hgetall("positions").items()}
    assert dict(positions) == kept
