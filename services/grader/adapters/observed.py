"""What can be seen of tasks from outside the learner's code: states that reach the result store, and events that workers send.

Each is a thread that listens from before the first worker starts, so that nothing is polled and no state is missed. The Redis result
backend announces each state on a channel named after the task, on every database of the server.
"""

import contextlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from celery import Celery

from grader.adapters.valkey import Valkey

FINAL_STATES = ("SUCCESS", "FAILURE", "REVOKED")
FINAL_EVENTS = ("task-succeeded", "task-failed", "task-rejected", "task-revoked")
CHANNELS = "*celery-task-meta-*"

MOST_CHARACTERS = 64 * 1024 * 1024
"""Of all that one log keeps: learner code sends it, and it lies in the grader's memory. What comes later is not seen."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that was seen; `at` is by the monotonic clock, in seconds."""

    at: float
    what: Mapping[str, Any]


def never(holds: Callable[[], bool], seconds: float) -> bool:
    """What did not hold within these seconds did not."""
    return False


class Log:
    """What was seen so far, by task id, and a way to wait for more. `later` is asked about what did not come in time."""

    later: Callable[[Callable[[], bool], float], bool] = staticmethod(never)

    def __init__(self) -> None:
        self._seen: dict[str, list[Seen]] = defaultdict(list)
        self._all: list[Seen] = []
        self._changed = threading.Condition()
        self._room = MOST_CHARACTERS

    def add(self, task_id: str, what: Mapping[str, Any]) -> None:
        size = len(repr(what))
        with self._changed:
            if size > self._room:
                return
            self._room -= size
            seen = Seen(time.monotonic(), what)
            self._seen[task_id].append(seen)
            self._all.append(seen)
            self._changed.notify_all()

    def of(self, task_id: str) -> list[Seen]:
        """All about one task, in the order in which it came."""
        with self._changed:
            return list(self._seen[task_id])

    def all(self) -> list[Seen]:
        """Everything, in the order in which it came."""
        with self._changed:
            return list(self._all)

    def wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it held in time; asked again whenever something new was seen, so that it must be about this log."""
        with self._changed:
            if self._changed.wait_for(holds, max(0.0, seconds)) or seconds <= 0:
                return bool(holds())
        return self.later(holds, seconds)

    def first(self, task_id: str, matches: Callable[[Mapping[str, Any]], bool], seconds: float) -> Seen | None:
        """The first thing about a task that matches, waited for; None when it did not come in time."""

        def found() -> Seen | None:
            return next((seen for seen in self._seen[task_id] if matches(seen.what)), None)

        self.wait(lambda: found() is not None, seconds)
        with self._changed:
            return found()


class Results(Log):
    """The states of tasks as a caller gets them: mappings with `status`, `result` and `traceback`."""

    def __init__(self, valkey: Valkey) -> None:
        super().__init__()
        # Kept, because a client that is collected closes the connections of its pubsub.
        self._client: Any = valkey.client()
        self._pubsub: Any = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._pubsub.psubscribe(CHANNELS)
        # Subscribed when the server has said so, not before.
        self._pubsub.get_message(ignore_subscribe_messages=False, timeout=10)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def final(self, task_id: str, seconds: float) -> Seen | None:
        """The state in which a task ended, waited for."""
        return self.first(task_id, lambda what: what.get("status") in FINAL_STATES, seconds)

    def end(self) -> None:
        """Listen no more."""
        self._ending.set()
        self._thread.join(5)
        self._pubsub.close()
        self._client.close()

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                message = self._pubsub.get_message(timeout=0.2)
            except redis.RedisError:
                return
            if message is None:
                continue
            task_id = str(message["channel"]).rpartition("celery-task-meta-")[2]
            try:
                what = json.loads(message["data"])
            except ValueError:
                continue
            if isinstance(what, dict):
                self.add(task_id, what)


class Events(Log):
    """The events of workers that were started with `-E`: mappings with `type`, `uuid`, `hostname` and more."""

    def __init__(self, app: Celery) -> None:
        super().__init__()
        self._receivers: list[Any] = []
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(app,), daemon=True)
        self._thread.start()
        self._listens.wait(10)

    def final(self, task_id: str, seconds: float) -> Seen | None:
        """The event with which a worker ended a task, waited for."""
        return self.first(task_id, lambda what: what["type"] in FINAL_EVENTS, seconds)

    def end(self) -> None:
        """Listen no more."""
        for receiver in self._receivers:
            receiver.should_stop = True
        self._thread.join(5)

    def _listen(self, app: Celery) -> None:
        with app.connection_for_read() as connection, contextlib.suppress(*connection.connection_errors):
            receiver = app.events.Receiver(connection, handlers={"*": self._take})
            receiver.on_consume_ready = lambda *_, **__: self._listens.set()
            self._receivers.append(receiver)
            # Until it is told to stop, or a check ends the broker.
            for _ in receiver.consume(limit=None):
                pass

    def _take(self, event: dict[str, Any]) -> None:
        self.add(str(event.get("uuid", "")), event)
