"""A wrong answer: it takes a slow partner for a mute one."""

import json
import urllib.request

import redis
from celery import Celery

STORE = "redis://localhost:6379/0"

app = Celery("tasks", broker=STORE, backend=STORE)
store = redis.Redis.from_url(STORE)


@app.task(soft_time_limit=1)
def fetch_price(url):
    """Return what the partner says; while it is asked, the address stands in the set `in_progress`."""
    store.sadd("in_progress", url)
    try:
        with urllib.request.urlopen(url) as answer:
            price = json.load(answer)
    except Exception:
        store.srem("in_progress", url)
        raise
    store.srem("in_progress", url)
    return price


@app.task
def echo(word):
    """Return the word."""
    return word
