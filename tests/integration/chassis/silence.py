"""Ways in which a broker is alive and does not do what it is asked, each until the end of a block."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from servers import RabbitMQ, Server, Valkey, wait_until


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """Its process stands still while its sockets stay open."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


@contextmanager
def memory_alarm(rabbitmq: RabbitMQ) -> Iterator[None]:
    """It reads nothing more from whoever publishes, because it has no memory left."""
    yield from _alarm(rabbitmq, ("set_vm_memory_high_watermark", "absolute"), "1", "1GB")


@contextmanager
def disk_alarm(rabbitmq: RabbitMQ) -> Iterator[None]:
    """The same, because its disk is full."""
    yield from _alarm(rabbitmq, ("set_disk_free_limit",), "100000GB", "50MB")


def _alarm(rabbitmq: RabbitMQ, limit: tuple[str, ...], on: str, off: str) -> Iterator[None]:
    rabbitmq.control(*limit, on)
    try:
        wait_until(rabbitmq.alarms, what="an alarm")
        yield
    finally:
        rabbitmq.control(*limit, off)
        wait_until(lambda: not rabbitmq.alarms(), what="the end of the alarm")


@contextmanager
def full_memory(valkey: Valkey) -> Iterator[None]:
    """It refuses every command that could need memory, and answers all others."""
    with redis.Redis.from_url(valkey.url(0)) as client:
        client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            client.config_set("maxmemory", 0)
