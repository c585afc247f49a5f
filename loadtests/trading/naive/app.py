"""The rival: a task for each step of an order, and one above them that waits for each. Seven tasks an order, five a cancel.

What it follows of https://docs.celeryq.dev/en/stable/: first-steps-with-celery (one Redis as broker and result backend), userguide/tasks
(small tasks with plain arguments), reference/celery.result (`allow_join_result`, without which a task may not wait). Everything else is
Celery's default. The book is in Redis' own types: a sorted set a side, a hash an order, and redis-py's lock a symbol. What a step reads
or writes at once goes in one pipeline.

It does for an order what ours does: an id is taken once; phase and kill switches; collar, size, value, rate, position and daily
quantity, the last two with what is open; price, then time; a limit order that rests or is immediate; who would trade with himself stops;
positions; an audit record with the hash of the one before; reports for both sides, and a state that can be asked for. It guards against
nothing: a task that is delivered twice trades twice.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from typing import Any, TypedDict

import redis
from celery import Celery
from celery.result import allow_join_result
from celery.signals import worker_ready

app = Celery("naive", broker=os.environ["NAIVE_BROKER_URL"], backend=os.environ["NAIVE_BROKER_URL"])
# Opens nothing before its first use, which is in a child process.
store = redis.Redis.from_url(os.environ["NAIVE_STORE_URL"], decode_responses=True)

BUY, SELL = 1, 2
DAY_SECONDS, BP = 86_400, 10_000


class Order(TypedDict):
    """An order as its client sends it."""

    id: int
    account: int
    symbol: int
    side: int
    price: int
    quantity: int
    immediate: bool


class Cancel(TypedDict):
    """What a client wants to cancel: the order that he sent as `target`."""

    id: int
    account: int
    target: int


class Fill(TypedDict):
    """One trade: who arrived, who rested."""

    taker: int
    maker: int
    maker_account: int
    price: int
    quantity: int


class Matched(TypedDict):
    """What came of an order: its trades, and how much of it rests."""

    fills: list[Fill]
    rests: int


class Removed(TypedDict):
    """What left the book."""

    symbol: int
    side: int
    open: int


@worker_ready.connect
def say_ready(**_: object) -> None:
    """Tell the bench; at Celery's default level of logging the worker says nothing itself, and so logs nothing a task."""
    print("ready", flush=True)


@app.task
def place_order(order: Order) -> list[Fill]:
    """Check, match, book, audit and report an order; what it traded."""
    with allow_join_result():
        if reason := validate.delay(order).get() or check_risk.delay(order).get():
            raise ValueError(reason)
        matched: Matched = match.delay(order).get()
        settle.delay(order, matched).get()
        write_audit.delay({"order": order, "fills": matched["fills"]}).get()
        report.delay(order, matched).get()
    return matched["fills"]


@app.task
def cancel_order(cancel: Cancel) -> bool:
    """Take an order out of the book; whether it was there."""
    with allow_join_result():
        removed: Removed | None = remove.delay(cancel).get()
        if removed:
            release.delay(cancel, removed).get()
        write_audit.delay({"cancel": cancel, "removed": removed, "fills": []}).get()
        report_cancel.delay(cancel, removed).get()
    return removed is not None


@app.task
def validate(order: Order) -> str:
    """Why nothing of the kind is taken now, or nothing."""
    with store.pipeline(transaction=False) as pipe:
        pipe.sadd(f"ids:{order['account']}", order["id"])
        pipe.hgetall(f"symbol:{order['symbol']}")
        pipe.hget(f"account:{order['account']}", "killed")
        pipe.get("killed")
        is_new, symbol, account_killed, all_killed = pipe.execute()
    if not is_new:
        return "id"
    if all_killed or account_killed or symbol.get("killed"):
        return "killed"
    return "" if symbol.get("phase") == "open" and order["quantity"] > 0 and order["price"] > 0 else "phase"


@app.task
def check_risk(order: Order) -> str:
    """Why the order breaks a limit, or nothing; then it counts as open."""
    account, quantity, now = order["account"], order["quantity"], int(time.time())
    holding, daily = f"{account}:{order['symbol']}", f"daily:{account}:{now // DAY_SECONDS}"
    with store.pipeline(transaction=False) as pipe:
        pipe.hgetall(f"account:{account}")
        pipe.hgetall(f"symbol:{order['symbol']}")
        pipe.hget("positions", holding)
        pipe.hget("open", f"{holding}:{order['side']}")
        pipe.get(daily)
        pipe.hincrby(f"rate:{account}", str(now), 1)
        limits, symbol, held, waits, today, sent = pipe.execute()
    most = {name: int(value) for name, value in limits.items()}
    reference, width = int(symbol["reference"]), int(symbol["reference"]) * int(symbol["collar_bp"]) // BP
    worst = int(held or 0) * (1 if order["side"] == BUY else -1) + int(waits or 0) + quantity
    if sent > most["max_rate"]:
        return "max_rate"
    if abs(order["price"] - reference) > width:
        return "collar"
    if quantity > most["max_quantity"]:
        return "max_quantity"
    if order["price"] * quantity > most["max_notional"]:
        return "max_notional"
    if worst > most["max_position"]:
        return "max_position"
    if int(today or 0) + quantity > most["max_daily_quantity"]:
        return "max_daily_quantity"
    _count(order, open_lots=quantity, today=quantity)
    return ""


@app.task
def match(order: Order) -> Matched:
    """Trade with the other side as far as the price allows; what is left rests unless the order is immediate."""
    fills: list[Fill] = []
    left, symbol, buys = order["quantity"], order["symbol"], order["side"] == BUY
    other = f"book:{symbol}:{SELL if buys else BUY}"
    with store.lock(f"lock:{symbol}"):
        while left and (best := store.zrange(other, 0, 0, withscores=True)):
            member, price = best[0][0], abs(int(best[0][1]))
            if price > order["price"] if buys else price < order["price"]:
                break
            resting = store.hgetall(f"order:{int(member)}")
            if int(resting["account"]) == order["account"]:
                return Matched(fills=fills, rests=0)
            traded = min(left, int(resting["open"]))
            left -= traded
            if store.hincrby(f"order:{int(member)}", "open", -traded) == 0:
                store.zrem(other, member)
                store.delete(f"order:{int(member)}")
            fills.append(
                Fill(
                    taker=order["id"],
                    maker=int(member),
                    maker_account=int(resting["account"]),
                    price=price,
                    quantity=traded,
                )
            )
        rests = 0 if order["immediate"] else left
        if rests:
            # Equal scores are sorted by member, so ids of one width keep the order of time.
            member = f"{order['id']:012d}"
            kept = {"account": order["account"], "open": rests, "symbol": symbol, "side": order["side"]}
            store.hset(f"order:{order['id']}", mapping=kept)
            store.zadd(f"book:{symbol}:{order['side']}", {member: -order["price"] if buys else order["price"]})
    return Matched(fills=fills, rests=rests)


@app.task
def remove(cancel: Cancel) -> Removed | None:
    """Take an order of the account out of its side of the book; nothing when it is not there."""
    found = store.hgetall(f"order:{cancel['target']}")
    if not store.sadd(f"ids:{cancel['account']}", cancel["id"]) or found.get("account") != str(cancel["account"]):
        return None
    with store.lock(f"lock:{found['symbol']}"):
        store.delete(f"order:{cancel['target']}")
        gone = store.zrem(f"book:{found['symbol']}:{found['side']}", f"{cancel['target']:012d}")
    return Removed(symbol=int(found["symbol"]), side=int(found["side"]), open=int(found["open"])) if gone else None


@app.task
def settle(order: Order, matched: Matched) -> None:
    """Positions of both sides of each trade, and what is open no longer."""
    sign, symbol, traded = 1 if order["side"] == BUY else -1, order["symbol"], 0
    with store.pipeline(transaction=False) as pipe:
        for fill in matched["fills"]:
            traded += fill["quantity"]
            maker = f"{fill['maker_account']}:{symbol}"
            pipe.hincrby("positions", f"{order['account']}:{symbol}", sign * fill["quantity"])
            pipe.hincrby("positions", maker, -sign * fill["quantity"])
            pipe.hincrby("open", f"{maker}:{SELL if order['side'] == BUY else BUY}", -fill["quantity"])
        pipe.execute()
    _count(order, open_lots=matched["rests"] - order["quantity"], today=traded + matched["rests"] - order["quantity"])


@app.task
def release(cancel: Cancel, removed: Removed) -> None:
    """What left the book is open no longer."""
    _count({**cancel, **removed}, open_lots=-removed["open"], today=-removed["open"])


@app.task
def write_audit(entry: dict[str, object]) -> None:
    """Keep what happened, in the order in which it did, each with the hash of all before it."""
    last = store.lindex("audit", -1)
    before = json.loads(last)["hash"] if last else ""
    digest = hashlib.sha256((before + json.dumps(entry)).encode()).hexdigest()
    store.rpush("audit", json.dumps({**entry, "hash": digest}))


@app.task
def report(order: Order, matched: Matched) -> None:
    """Tell both sides, and keep what becomes of the order for who asks."""
    traded = sum(fill["quantity"] for fill in matched["fills"])
    with store.pipeline(transaction=False) as pipe:
        pipe.hset(
            f"state:{order['account']}", str(order["id"]), json.dumps({"traded": traded, "open": matched["rests"]})
        )
        pipe.rpush(f"reports:{order['account']}", json.dumps({"acknowledged": order["id"]}))
        for fill in matched["fills"]:
            pipe.rpush(f"reports:{order['account']}", json.dumps(fill))
            pipe.rpush(f"reports:{fill['maker_account']}", json.dumps(fill))
        pipe.execute()


@app.task
def report_cancel(cancel: Cancel, removed: Removed | None) -> None:
    """Tell who cancelled, and keep what became of the order."""
    with store.pipeline(transaction=False) as pipe:
        pipe.hset(f"state:{cancel['account']}", str(cancel["target"]), json.dumps({"cancelled": bool(removed)}))
        pipe.rpush(f"reports:{cancel['account']}", json.dumps({"cancelled": cancel["target"], "removed": removed}))
        pipe.execute()


def _count(of: Mapping[str, Any], *, open_lots: int, today: int) -> None:
    """Lots that are open, and those of the day."""
    if open_lots or today:
        with store.pipeline(transaction=False) as pipe:
            pipe.hincrby("open", f"{of['account']}:{of['symbol']}:{of['side']}", open_lots)
            pipe.incrby(f"daily:{of['account']}:{int(time.time()) // DAY_SECONDS}", today)
            pipe.execute()
