"""A connection to Redis or Valkey. The package is imported when the first one is wanted: it is a quarter of what a command would import."""

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from conductor.errors import StoreUnreachable

if TYPE_CHECKING:
    import redis


@contextlib.contextmanager
def connected(url: str, *, answer_seconds: float = 5.0) -> "Iterator[redis.Redis]":
    """A client for the block, connected at its first command. Raises StoreUnreachable for what fails in it, or is not answered in time."""
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=answer_seconds, socket_connect_timeout=answer_seconds) as client:
            yield client
    except redis.RedisError as error:
        raise StoreUnreachable(str(error)) from error


def nodes(urls: str) -> list[str]:
    """The URLs of a store's servers, which are written with commas between."""
    return re.split(r",(?=rediss?://)", urls)
