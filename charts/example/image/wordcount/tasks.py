"""What it does: counts the words of texts."""

import os
import time

import redis

from wordcount.app import app

store = redis.Redis.from_url(os.environ["BROKER_URL"], decode_responses=True)


@app.task
def count(number: int, text: str) -> int:
    """Keep how many words a text has. To run it twice for one text changes nothing, since the broker may deliver it twice."""
    time.sleep(0.2)  # what a rolling deploy meets is tasks that take their time
    words = len(text.split())
    store.hset("counted", str(number), words)
    return words


@app.task
def total() -> int:
    """Keep how many words there are in all."""
    words = sum(map(int, store.hvals("counted")))
    store.set("total", words)
    return words
