"""Orders and stock, kept in a database of the store."""

import json

import redis

store = redis.Redis.from_url("redis://localhost:6379/2", decode_responses=True)

STOCK = "stock"
OUTBOX = "outbox"


def create(order_id, *, amount, address):
    """Keep a new order; `amount` in cents, `address` as the carrier wants it."""
    store.hset(_key(order_id), mapping={"state": "new", "amount": amount, "address": json.dumps(address)})


def accept(order_id, *, amount, address):
    """Keep a new order and its entry in the outbox, both or neither."""
    with store.pipeline(transaction=True) as both:
        both.hset(_key(order_id), mapping={"state": "new", "amount": amount, "address": json.dumps(address)})
        both.rpush(OUTBOX, order_id)
        both.execute()


def read(order_id):
    """Return the order's fields."""
    order = store.hgetall(_key(order_id))
    return {**order, "amount": int(order["amount"]), "address": json.loads(order["address"])}


def set_state(order_id, state):
    """Write where the order is: new, processing, shipped or cancelled."""
    store.hset(_key(order_id), "state", state)


def reserve(order_id):
    """Take one piece from the stock for the order, once."""
    if store.hsetnx(_key(order_id), "reserved", 1):
        store.decr(STOCK)


def release(order_id):
    """Put the order's piece back, if it has one."""
    if store.hdel(_key(order_id), "reserved"):
        store.incr(STOCK)


def _key(order_id):
    return f"order:{order_id}"
