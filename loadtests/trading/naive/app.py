"""The rival: a task for each step of an order, and one above them that waits for each. Five tasks an order, three a cancel.

What it follows of https://docs.celeryq.dev/en/stable/: first-steps-with-celery (one Redis as broker and result backend), userguide/tasks
(small tasks with plain arguments), reference/celery.result (`allow_join_result`, without which a task may not wait). Everything else is
Celery's default. The book is in Redis' own types: a sorted set a side, a hash an order, and redis-py's lock a symbol.

It trades as ours does: price, then time; a limit order that rests or is immediate; cancel; who would trade with himself stops. It guards
against nothing: a task that is delivered twice trades twice.
"""

import json
import os
from typing import TypedDict

import redis
from celery import Celery
from celery.result import allow_join_result
from celery.signals import worker_ready

app = Celery("naive", broker=os.environ["NAIVE_BROKER_URL"], backend=os.environ["NAIVE_BROKER_URL"])
# Opens nothing before its first use, which is in a child process.
store = redis.Redis.from_url(os.environ["NAIVE_STORE_URL"], decode_responses=True)

MAX_QUANTITY, MAX_POSITION, MAX_NOTIONAL = 10_000, 1_000_000, 10_000_000_000
BUY, SELL = 1, 2


class Order(TypedDict):
    """An order as its client sends it."""

    id: int
    account: int
    symbol: int
    side: int
    price: int
    quantity: int
    immediate: bool


class Fill(TypedDict):
    """One trade: who arrived, who rested."""

    taker: int
    maker: int
    maker_account: int
    price: int
    quantity: int


@worker_ready.connect
def say_ready(**_: object) -> None:
    """Tell the bench; at Celery's default level of logging the worker says nothing itself, and so logs nothing a task."""
    print("ready", flush=True)


@app.task
def place_order(order: Order) -> list[Fill]:
    """Check, match, book and audit an order; what it traded."""
    with allow_join_result():
        if reason := check_risk.delay(order).get():
            raise ValueError(reason)
        fills: list[Fill] = match.delay(order).get()
        update_positions.delay(order, fills).get()
        write_audit.delay({"order": order, "fills": fills}).get()
    return fills


@app.task
def cancel_order(id: int) -> bool:
    """Take an order out of the book; whether it was there."""
    with allow_join_result():
        removed: bool = remove.delay(id).get()
        write_audit.delay({"cancel": id, "removed": removed, "fills": []}).get()
    return removed


@app.task
def check_risk(order: Order) -> str:
    """Why the order is refused, or nothing."""
    held = int(store.hget("positions", f"{order['account']}:{order['symbol']}") or 0)
    after = held + order["quantity"] if order["side"] == BUY else order["quantity"] - held
    if order["quantity"] > MAX_QUANTITY:
        return "size"
    if order["price"] * order["quantity"] > MAX_NOTIONAL:
        return "notional"
    return "position" if after > MAX_POSITION else ""


@app.task
def match(order: Order) -> list[Fill]:
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
                return fills
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
        if left and not order["immediate"]:
            # Equal scores are sorted by member, so ids of one width keep the order of time.
            member = f"{order['id']:012d}"
            book = f"book:{symbol}:{order['side']}"
            store.hset(f"order:{order['id']}", mapping={"account": order["account"], "open": left, "book": book})
            store.zadd(book, {member: -order["price"] if buys else order["price"]})
    return fills


@app.task
def remove(id: int) -> bool:
    """Take an order out of its side of the book."""
    book = store.hget(f"order:{id}", "book")
    if book is None:
        return False
    with store.lock(f"lock:{book.split(':')[1]}"):
        store.delete(f"order:{id}")
        return bool(store.zrem(book, f"{id:012d}"))


@app.task
def update_positions(order: Order, fills: list[Fill]) -> None:
    """Both sides of each trade."""
    sign = 1 if order["side"] == BUY else -1
    for fill in fills:
        store.hincrby("positions", f"{order['account']}:{order['symbol']}", sign * fill["quantity"])
        store.hincrby("positions", f"{fill['maker_account']}:{order['symbol']}", -sign * fill["quantity"])


@app.task
def write_audit(entry: dict[str, object]) -> None:
    """Keep what happened, in the order in which it did."""
    store.rpush("audit", json.dumps(entry))
