"""A workload whose clients wait while too much is in flight; see conductor.capstone.Workload, of which a subclass says the rest."""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from conductor.harness.load import Load

LOOK_SECONDS = 0.1
"""Between two looks at how much is in flight."""

L = TypeVar("L", bound=Load[Any])


class PacedWorkload(ABC, Generic[L]):
    """A subclass makes `load`, whose `room` is `_has_room`."""

    load: L

    def __init__(self) -> None:
        self._hurry = threading.Event()
        self._full = threading.Event()
        self._over = threading.Event()
        self._pacer = threading.Thread(target=self._pace, daemon=True)

    @abstractmethod
    def _fullness(self) -> AbstractContextManager[Callable[[], bool]]:
        """Asks whether as much is in flight as may be; used by one thread of its own."""

    @property
    def accepted(self) -> int:
        return self.load.accepted

    @property
    def repeats(self) -> int:
        return self.load.repeats

    @property
    def gave_up(self) -> int:
        return self.load.gave_up

    @property
    def abrupt(self) -> int:
        return self.load.abrupt

    def start(self) -> None:
        self._pacer.start()
        self.load.__enter__()

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        self._hurry.set()
        try:
            yield
        finally:
            self._hurry.clear()

    def finish(self, within_seconds: float) -> bool:
        with self.hurried():
            in_time = self.load.finish(within_seconds)
        self._over.set()
        self._pacer.join()
        return in_time

    def asked_again(self) -> Counter[str]:
        return self.load.asked_again()

    def _has_room(self) -> bool:
        return not self._full.is_set()

    def _pace(self) -> None:
        with self._fullness() as is_full:
            while not self._over.wait(LOOK_SECONDS):
                (self._full.set if is_full() else self._full.clear)()
