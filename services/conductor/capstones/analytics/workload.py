"""The analytics' load for a drill: see conductor.capstone.Workload."""

import contextlib
import random
import secrets
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

from conductor.capstone import Patience, Size
from conductor.capstones.analytics import counters, promises
from conductor.capstones.analytics.api_client import EdgeApi
from conductor.capstones.analytics.events import Shape, drawn, ndjson
from conductor.capstones.analytics.progress import AnalyticsProgress
from conductor.capstones.analytics.promises import Accepted, Baseline, Intent, Refused
from conductor.errors import DrillFailed
from conductor.harness import load
from conductor.harness.load import insist
from conductor.harness.paced_workload import PacedWorkload
from conductor.history import Journal, now
from conductor.runtime import Reach

LOADED = 3
"""Requests that are accepted and not counted, so that an aggregator that is hit holds batches."""

PER_SECOND, SMALL_PER_SECOND = 40.0, 10.0
"""Requests a second while nothing waits for load: 60,000 events a second, and 3,000 in a small drill."""

EVENTS, SMALL_EVENTS = 1500, 300
"""Of a request."""

LEAST_ROOM = 40
"""Most requests that are accepted and not counted are a fifth of all, and never fewer than this."""


class Load(load.Load[EdgeApi]):
    """Requests of drawn events; `options` are those of every load."""

    def __init__(
        self,
        connect: Callable[[], EdgeApi],
        journal: Journal,
        *,
        seed: int,
        shape: Callable[[], Shape] = Shape,
        **options: Any,
    ) -> None:
        super().__init__(connect, **options)
        self.scope = f"load-{secrets.token_hex(4)}-"
        self.events = 0
        """Events that were accepted."""
        self.accepted_at: list[float] = []
        """When each request was accepted, in unix seconds, in this order."""
        self._journal = journal
        self._seed = seed
        self._shape = shape
        self._writing = threading.Lock()

    def send(self, api: EdgeApi, number: int) -> None:
        self.send_one(api, f"{self.scope}{number}", number)

    def send_one(self, api: EdgeApi, key: str, number: int) -> bool:
        """Send a request until it is answered; whether it was accepted."""
        shape, at = self._shape(), now()
        intent = Intent(at, key, self.scope, self._seed, number, round(at * 1000), asdict(shape))
        self._journal.write(intent)
        body = ndjson(key, drawn(self.scope, self._seed, number, intent.at_ms, shape))
        answer = self.insist(partial(api.send, key, body), random.Random(key))
        with self._writing:
            outcome = promises.outcome(key, answer)
            self._journal.write(outcome)
            if isinstance(outcome, Refused):
                return False
            self.accepted_at.append(outcome.at)
            self.events += outcome.events
        return True

    def accepted_until(self, moment: datetime | None) -> int:
        """How many requests were accepted until then, or until now."""
        if moment is None:
            return len(self.accepted_at)
        return bisect_right(self.accepted_at, moment.timestamp())


class AnalyticsWorkload(PacedWorkload[Load]):
    """A load of events for a drill; see conductor.capstone.Workload. `shape` may be changed while it runs."""

    def __init__(self, access: Reach, journal: Journal, size: Size, patience: Patience) -> None:
        super().__init__()
        self._access, self._journal, self._size = access, journal, size
        self._submitting = threading.Lock()
        self.shape = Shape(events=EVENTS if size.large else SMALL_EVENTS)
        self._room = max(LEAST_ROOM, size.requests // 5)
        self.load = Load(
            partial(EdgeApi.of, access),
            journal,
            seed=size.seed,
            shape=lambda: self.shape,
            at_least=size.requests,
            patience_seconds=patience.total_seconds,
            room=self._has_room,
            per_second=self._per_second,
        )
        self.scope = self.load.scope
        self.progress = AnalyticsProgress(access, self.scope, self.load.accepted_until)

    def start(self) -> None:
        shared = counters.read(self._access, counters.SHARED)
        self._journal.write(Baseline(now(), shared))
        super().start()

    def loaded(self) -> int | None:
        there = self.progress.in_flight() or 0
        return there if there >= LOADED else None

    def submit(self, name: str) -> str:
        key = f"{self.scope}{name}"
        with EdgeApi.of(self._access) as api:
            if not self.load.send_one(api, key, abs(hash(name)) % 10**9 + 10**9):
                raise DrillFailed(f"{key} was not accepted")
        return key

    def repeat(self, count: int) -> None:
        told = promises.read([self._journal.path])
        drawn_keys = list(told.accepted)
        with EdgeApi.of(self._access) as api:
            for key in drawn_keys[:: max(1, len(drawn_keys) // count)]:
                send_again(api, told.intents[key], told.accepted[key])

    def _per_second(self) -> float | None:
        if self._hurry.is_set() and not self._size.steady:
            return None
        return self._size.per_second or (PER_SECOND if self._size.large else SMALL_PER_SECOND)

    @contextlib.contextmanager
    def _fullness(self) -> Iterator[Callable[[], bool]]:
        # While the counters are away, what was counted last is what is known.
        counted = 0

        def is_full() -> bool:
            nonlocal counted
            counted = max(counted, self.progress.completed() or 0)
            return self.load.accepted - counted >= self._room

        yield is_full


def send_again(api: EdgeApi, intent: Intent, accepted: Accepted) -> None:
    """Send a request again with its key. DrillFailed when it gets another answer than it got."""
    body = ndjson(intent.key, [row for row in intent.events() if row is not None])
    answer = insist(partial(api.send, intent.key, body))
    if answer["accepted"] != accepted.events:
        raise DrillFailed(f"key {intent.key} was answered {accepted.events} events, and then {answer['accepted']}")
