"""The naive design that the bench compares with does for an order what the engine does: the same trades, positions and open lots, the same
refusals, an audit that nobody can change."""

import hashlib
import importlib
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from loadtests.trading.naive.market import LIMITS as NAMES
from loadtests.trading.naive.market import open_market
from loadtests.trading.orders import LIMITS, REFERENCE, SYMBOLS, mixed, opened
from loadtests.trading.rival import task

from trading.domain.engine import Engine
from trading.domain.terms import BUY, Outcome, Reason

ORDERS, ACCOUNTS = 400, 5
"""Few accounts, so that some orders meet one of their own."""
ORDER = {"id": 1, "account": 1, "symbol": 1, "side": BUY, "price": REFERENCE, "quantity": 2, "immediate": False}


@pytest.fixture
def naive(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Its module; its tasks run in this process. The market is open."""
    monkeypatch.setenv("NAIVE_BROKER_URL", redis_url)
    monkeypatch.setenv("NAIVE_STORE_URL", redis_url)
    module = importlib.reload(importlib.import_module("loadtests.trading.naive.app"))
    module.app.conf.update(task_always_eager=True, task_eager_propagates=True)
    module.store.flushdb()
    open_market(module.store, range(1, SYMBOLS + 1), range(1, ACCOUNTS + 1), REFERENCE, LIMITS)
    yield module
    module.store.close()


def test_the_naive_design_comes_to_the_same_trades_and_positions(naive: Any) -> None:
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
    assert dict(positions) == numbers(naive, "positions")
    assert open_lots(engine) == numbers(naive, "open")
    daily = {one.id: one.daily_quantity for one in engine.accounts.values() if one.daily_quantity}
    assert daily == {int(key.split(":")[1]): int(naive.store.get(key)) for key in naive.store.scan_iter("daily:*")}
    reports = [json.loads(one) for key in naive.store.scan_iter("reports:*") for one in naive.store.lrange(key, 0, -1)]
    assert 2 * len(expected) == sum("maker" in one for one in reports)
    assert [] == broken_links(naive.store.lrange("audit", 0, -1))


def numbers(naive: Any, name: str) -> dict[str, int]:
    """What a hash holds; a position of 0 is one."""
    found = {field: int(value) for field, value in naive.store.hgetall(name).items()}
    return found if name == "positions" else {field: value for field, value in found.items() if value}


def open_lots(engine: Engine) -> dict[str, int]:
    """Open lots by account, symbol and side."""
    found: defaultdict[str, int] = defaultdict(int)
    for session in engine.sessions.values():
        for order in session.orders.values():
            found[f"{order.holding.account_id}:{order.holding.symbol}:{order.side}"] += order.open
    return dict(found)


def broken_links(entries: list[str]) -> list[str]:
    """The entries of an audit whose hash is not that of what came before."""
    before, broken = "", []
    for line in entries:
        entry = json.loads(line)
        told = entry.pop("hash")
        if told != hashlib.sha256((before + json.dumps(entry)).encode()).hexdigest():
            broken.append(line)
        before = told
    return broken


@pytest.mark.parametrize("limit", NAMES)
def test_the_naive_design_refuses_what_breaks_a_limit(naive: Any, limit: str) -> None:
    naive.store.hset("account:1", limit, 0)

    with pytest.raises(ValueError, match=limit):
        naive.place_order.delay(ORDER).get()


@pytest.mark.parametrize(
    ("key", "field", "value", "reason"),
    [
        ("symbol:1", "phase", "closed", "phase"),
        ("symbol:1", "killed", "1", "killed"),
        ("account:1", "killed", "1", "killed"),
        ("symbol:1", "reference", str(2 * REFERENCE), "collar"),
    ],
)
def test_the_naive_design_refuses_what_is_not_taken_now(
    naive: Any, key: str, field: str, value: str, reason: str
) -> None:
    naive.store.hset(key, field, value)

    with pytest.raises(ValueError, match=reason):
        naive.place_order.delay(ORDER).get()


def test_the_naive_design_takes_an_id_once(naive: Any) -> None:
    naive.place_order.delay(ORDER).get()

    with pytest.raises(ValueError, match="id"):
        naive.place_order.delay(ORDER).get()
    assert not naive.cancel_order.delay({"id": 2, "account": 2, "target": 1}).get()
    assert naive.cancel_order.delay({"id": 2, "account": 1, "target": 1}).get()
