"""Where rows come from, and where items and rows go. Leave this file as it is."""

import json

import redis

store = redis.Redis.from_url("redis://localhost:6379/1", decode_responses=True)


def read(source):
    """Return the rows of a source, each `{"sku": …, "quantity": …, "price": …}`.

    Raises LookupError for a source that there is not, and ConnectionError for one that is away for a moment.
    """
    store.incr(f"asked:{source}")
    if int(store.get(f"away:{source}") or 0) > 0:
        store.decr(f"away:{source}")
        raise ConnectionError(f"{source} is away")
    rows = store.get(f"rows:{source}")
    if rows is None:
        raise LookupError(f"there is no source {source}")
    return json.loads(rows)


def write(item):
    """Write an item. What was written twice is there twice."""
    store.rpush("items", json.dumps(item))


def load(destination, rows):
    """Put rows at a destination."""
    store.rpush(f"loaded:{destination}", *map(json.dumps, rows))
