"""Waiting for something outside this process: asked again and again until it holds or the time is over."""

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], *, within_seconds: float, every_seconds: float = 0.1) -> bool:
    """Whether it held in time; asked at least once, and once more when the time is over."""
    deadline = time.monotonic() + within_seconds
    while not holds():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(every_seconds, left))
    return True
