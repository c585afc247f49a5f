"""Orders and stock, kept in a database of the store. Each function happens as a whole or not at all, also when its process is killed."""

import json

import redis

store = redis.Redis.from_url("redis://localhost:6379/2", decode_responses=True)

STOCK = "stock"

RESERVE = store.register_script("""
if redis.call("HSETNX", KEYS[1], "reserved", 1) == 0 or redis.call("DECR", KEYS[2]) >= 0 then return 1 end
redis.call("HDEL", KEYS[1], "reserved")
redis.call("INCR", KEYS[2])
return 0
""")

RELEASE = store.register_script("""
if redis.call("HDEL", KEYS[1], "reserved") == 1 then redis.call("INCR", KEYS[2]) end
""")


class SoldOut(Exception):
    """There is nothing left."""


def create(order_id, *, amount, address):
    """Keep a new order; `amount` in cents, `address` as the carrier wants it."""
    store.hset(_key(order_id), mapping={"state": "new", "amount": amount, "address": json.dumps(address)})


def read(order_id):
    """Return the order's fields."""
    order = store.hgetall(_key(order_id))
    return {**order, "amount": int(order["amount"]), "address": json.loads(order["address"])}


def set_state(order_id, state):
    """Write where the order is: new, processing, shipped or cancelled."""
    store.hset(_key(order_id), "state", state)


def reserve(order_id):
    """Take one piece from the stock for the order, if it has none. Raises SoldOut."""
    if not RESERVE(keys=[_key(order_id), STOCK]):
        raise SoldOut(order_id)


def release(order_id):
    """Put the order's piece back, if it has one."""
    RELEASE(keys=[_key(order_id), STOCK])


def _key(order_id):
    return f"order:{order_id}"
