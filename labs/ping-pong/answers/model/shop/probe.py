"""What the platform asks of a worker: may it be counted on, and is it beyond help?"""

import redis
from shop.app import app

ANSWER_SECONDS = 2
SILENT_SECONDS = 2

broker = redis.Redis.from_url(app.conf.broker_url, socket_timeout=SILENT_SECONDS, socket_connect_timeout=SILENT_SECONDS)


def ready():
    """Whether the worker takes work: it is asked what it consumes, because a deaf one answers a ping as well."""
    return reached() and consumes()


def alive():
    """Whether the worker is to be left alone. As long as the broker is away nobody can tell, and a new worker would not help."""
    return not reached() or consumes()


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
