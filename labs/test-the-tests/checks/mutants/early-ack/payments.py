"""Charges orders at a payment provider. The provider is played by the key `provider`: up, down or slow."""

import time

import redis
from celery import Celery

STORE = "redis://localhost:6379/0"

app = Celery("payments", broker=STORE, backend=STORE)
app.conf.task_routes = {"payments.charge": {"queue": "charges"}}
app.conf.task_acks_late = False

store = redis.Redis.from_url(STORE, decode_responses=True)


@app.task(bind=True, name="payments.charge", max_retries=10)
def charge(self, order, amount):
    """Charge an order and return what was charged.

    A provider that is down is asked again 0.3 s later. `charging` names the order that is being charged.
    """
    if amount <= 0:
        raise ValueError(f"{amount} cannot be charged")
    store.set("charging", order)
    while store.get("provider") == "slow":
        time.sleep(0.05)
    if store.get("provider") == "down":
        raise self.retry(exc=ConnectionError("the provider is down"), countdown=0.3)
    store.rpush("charged", order)
    return {"order": order, "charged": amount}


def charged_orders():
    """The orders that were charged, in this order."""
    return store.lrange("charged", 0, -1)
