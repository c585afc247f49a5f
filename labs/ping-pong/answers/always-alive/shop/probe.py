"""A wrong answer: a worker that takes nothing any more is left as it is, for ever."""

import redis
from shop.app import app

ANSWER_SECONDS = 2
SILENT_SECONDS = 2

broker = redis.Redis.from_url(app.conf.broker_url, socket_timeout=SILENT_SECONDS, socket_connect_timeout=SILENT_SECONDS)


def ready():
    """Whether the worker takes work: it is asked what it consumes, because a deaf one answers a ping as well."""
    return reached() and consumes()


def alive():
    """Whether the worker is to be left alone."""
    return True


def reached():
    """Whether the broker answers."""
    try:
        return broker.ping()
    except redis.RedisError:
        return False


def consumes():
    """Whether a worker says that it consumes a queue."""
    queues = app.control.inspect(timeout=ANSWER_SECONDS).active_queues() or {}
    return any(queues.values())
