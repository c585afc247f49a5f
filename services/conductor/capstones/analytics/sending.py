"""Sends events at a rate, drawn ones or a file's, and counts what the API said of them."""

import itertools
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from conductor.capstones.analytics import promises
from conductor.capstones.analytics.api_client import EdgeApi
from conductor.capstones.analytics.events import Shape, drawn, ndjson, rows_of
from conductor.capstones.analytics.promises import Intent, Refused
from conductor.harness import load
from conductor.history import Journal, now

CLIENTS = 8
PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class Sent:
    """What came of it. `refused` counts single events by reason, `unanswered` those of requests that were not accepted by reason."""

    events: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        rate = self.accepted / self.seconds if self.seconds else 0.0
        return {**asdict(self), "seconds": round(self.seconds, 2), "per_second": round(rate)}


@dataclass(frozen=True, slots=True)
class Request:
    """One request to be sent: what is written down of it, its body, and how many events that has."""

    intent: Intent
    body: bytes
    events: int


class Sender(load.Load[EdgeApi]):
    """Sends requests until there are no more, each until it is answered."""

    def __init__(
        self, connect: Callable[[], EdgeApi], journal: Journal, requests: Iterator[Request], *, per_second: float
    ) -> None:
        super().__init__(
            connect,
            at_least=0,
            clients=CLIENTS,
            patience_seconds=PATIENCE_SECONDS,
            per_second=lambda: per_second,
        )
        self.sent = Sent()
        self._journal = journal
        self._requests = requests
        self._noting = threading.Lock()
        self._left = threading.Event()

    def send(self, api: EdgeApi, number: int) -> None:
        """The next request; the last one ends the load."""
        with self._noting:
            request = next(self._requests, None)
        if request is None:
            self._left.set()
            self._stop.set()
            return
        key = request.intent.key
        self._journal.write(request.intent)
        door = "/backfill" if request.intent.backfill else "/events"
        answer = self.insist(partial(api.send, key, request.body, door), random.Random(key))
        with self._noting:
            self.sent.events += request.events
            outcome = promises.outcome(key, answer)
            self._journal.write(outcome)
            if isinstance(outcome, Refused):
                self.sent.unanswered[outcome.why] += request.events
                return
            self.sent.accepted += outcome.events
            self.sent.repeats += outcome.tries - 1
            self.sent.refused.update(one["reason"] for one in answer.told["refused"])

    def all(self) -> Sent:
        """Send all of them. Returns what came of it."""
        began = time.monotonic()
        with self:
            self._left.wait()
        self.sent.seconds = time.monotonic() - began
        return self.sent


def of_drawn(
    connect: Callable[[], EdgeApi], journal: Journal, shape: Shape, *, seed: int, rate: float, seconds: float
) -> Sent:
    """Draw and send `rate` events a second for so many seconds."""
    requests = max(1, round(rate * seconds / shape.events))
    return Sender(connect, journal, _drawn(shape, seed, requests), per_second=rate / shape.events).all()


def _drawn(shape: Shape, seed: int, requests: int) -> Iterator[Request]:
    run = f"send-{secrets.token_hex(4)}"
    for number in range(1, requests + 1):
        at = now()
        # The names of users and contents are the same in every run, as those of a shop that stays open.
        intent = Intent(at, f"{run}-{number}", "", seed, number, round(at * 1000), asdict(shape))
        yield Request(intent, ndjson(intent.key, drawn("", seed, number, intent.at_ms, shape)), shape.events)


def of_file(
    connect: Callable[[], EdgeApi], journal: Journal, file: Path, *, request: int, rate: float, backfill: bool = False
) -> Sent:
    """Send the lines of a file as they are, so many a request and `rate` a second; empty lines are left out."""
    return Sender(connect, journal, _lines(file, request, backfill), per_second=rate / request).all()


def _lines(file: Path, request: int, backfill: bool) -> Iterator[Request]:
    run = f"send-{secrets.token_hex(4)}"
    with file.open("rb") as lines:
        full = (line.rstrip(b"\r\n") for line in lines if line.strip())
        for number in itertools.count(1):
            body = list(itertools.islice(full, request))
            if not body:
                return
            intent = Intent(now(), f"{run}-{number}", "", number=number, rows=tuple(rows_of(body)), backfill=backfill)
            yield Request(intent, b"\n".join(body), len(body))
