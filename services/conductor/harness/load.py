"""Requests as patient clients send them, many at a time.

A request that got no answer, or was told to come again (429, 503), is sent again with the same key until it is answered, so no failure of
ours makes two requests of one.
"""

import itertools
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from conductor.errors import ApiRefused, ApiUnreachable, DrillFailed
from conductor.waiting import until

FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 2.0

PAUSE_SECONDS = 0.05
"""Between two looks while the load waits for requests to be worked off, or for its turn."""

ANSWER_SECONDS = 180.0
"""How long a single request is sent again and again."""

AWAY = (429, 503)
"""Statuses that say that nothing was done."""

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request: the API's answer after so many `tries`, or None and why; `status` None when the client gave up."""

    told: Any
    tries: int
    status: int | None = None
    why: str = ""


class Load(ABC, Generic[A]):
    """Requests of `clients` threads until at least `at_least` were accepted *and* it was told to stop. A subclass says what is sent.

    With `room` (whether another request may be sent now) the load never piles up more than the drill wants; with `per_second` (how many
    may be sent a second at most, as of now; None is as many as are answered) it leaves room on the machine for what is drilled.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[A]],
        *,
        at_least: int,
        clients: int = 8,
        patience_seconds: float = 120.0,
        room: Callable[[], bool] = lambda: True,
        per_second: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._connect = connect
        self._at_least = at_least
        self._patience_seconds = patience_seconds
        self._room = room
        self._per_second = per_second
        self._next_at = 0.0
        self._stop = threading.Event()
        self._abandon = threading.Event()
        self._numbers = itertools.count(1)
        self._counting = threading.Lock()
        self.accepted = 0
        self.repeats = 0
        self.gave_up = 0
        self._again: Counter[str] = Counter()
        self.abrupt = 0
        """How many of these times nobody said when to come again: no answer, or one without Retry-After."""
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    @abstractmethod
    def send(self, api: A, number: int) -> None:
        """Send the request with this number, by `insist`, and write down what was promised."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(within_seconds=0 if error is not None else self._patience_seconds)

    def finish(self, within_seconds: float) -> bool:
        """Stop as soon as enough were accepted, and wait for the last answers; False when it took too long and was cut short."""
        self._stop.set()
        deadline = time.monotonic() + within_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        in_time = not any(thread.is_alive() for thread in self._threads)
        self._abandon.set()
        for thread in self._threads:
            thread.join()
        return in_time

    def asked_again(self) -> Counter[str]:
        """Why requests had to be sent again, up to now."""
        with self._counting:
            return self._again.copy()

    def insist(self, ask: Callable[[], Any], rng: random.Random) -> Answer:
        """Ask until there is an answer, it is refused for good, or patience runs out."""
        deadline = time.monotonic() + self._patience_seconds
        for tries in itertools.count(1):
            wait: float | None = None
            try:
                told = ask()
            except ApiRefused as error:
                if error.status < 500 and error.status != 429:
                    return Answer(None, tries, error.status, str(error))
                wait, why = error.retry_after_seconds, str(error)
            except ApiUnreachable as error:
                why = str(error)
            else:
                with self._counting:
                    self.accepted += 1
                    self.repeats += tries - 1
                return Answer(told, tries)
            with self._counting:
                self._again[why] += 1
                self.abrupt += wait is None
            ceiling = min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(tries, 10))
            if time.monotonic() > deadline or self._abandon.wait(wait or rng.uniform(0, ceiling)):
                break
        with self._counting:
            self.gave_up += 1
        return Answer(None, tries, None, f"gave up after {tries} tries: {why}")

    def _run(self) -> None:
        with self._connect() as api:
            while self._wanted():
                if not self._room():
                    self._abandon.wait(PAUSE_SECONDS)
                    continue
                if self._gets_turn():
                    self.send(api, next(self._numbers))

    def _gets_turn(self) -> bool:
        """Return when it is this client's turn; False when nobody is to send any more."""
        rate = self._per_second()
        if rate is None:
            return True
        with self._counting:
            at = max(self._next_at, time.monotonic())
            self._next_at = at + 1 / rate
        # Nobody waits for a turn that is not needed any more.
        while (left := at - time.monotonic()) > 0 and self._per_second() is not None:
            if self._abandon.wait(min(left, PAUSE_SECONDS)):
                return False
        return True

    def _wanted(self) -> bool:
        enough = self._stop.is_set() and self.accepted >= self._at_least
        return not enough and not self._abandon.is_set()


def insist(ask: Callable[[], T], within_seconds: float = ANSWER_SECONDS, *, again: Collection[int] = AWAY) -> T:
    """Ask again while the API is away or busy, and return its answer. DrillFailed when it refuses for good.

    `again` are the statuses after which it is asked again.
    """
    answer: list[T] = []

    def answered() -> bool:
        try:
            answer.append(ask())
        except ApiUnreachable:
            return False
        except ApiRefused as error:
            if error.status in again:
                return False
            raise DrillFailed(str(error)) from error
        return True

    if not until(answered, within_seconds=within_seconds):
        raise DrillFailed("waited in vain for the API to answer")
    return answer[0]
