"""What goes on beside a block: each act has a thread of its own, and an event that tells it when the block is over."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def in_background(*acts: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run these during the block. After it they are told that it is over, and waited for."""
    over = threading.Event()
    threads = [threading.Thread(target=act, args=(over,), daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
