"""Recommendations: aggregators note who engaged with what, tasks learn from it, and the API reads what they stored.

observe ─▶ waiting users ─▶ `fan_out`, by the clock ─▶ `learn`, a chunk of users a task ─▶ stored lists
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

from analytics.domain.counting import Growth
from analytics.domain.events import KINDS
from analytics.domain.recommending import learn, recommend, similar
from analytics.ports.engagements import EngagementStore, RecommendationReader
from chassis import metrics
from chassis.errors import Transient
from chassis.loggers import get_logger

log = get_logger(__name__)

WAITING = metrics.define(
    metrics.Definition("analytics_waiting_users", "gauge", "Users with engagements that are not learned yet")
)

ENGAGING = frozenset(KINDS.index(kind) for kind in ("like", "share", "comment"))
"""Kinds that say that a user likes a content; a view says too little, and a follow is of a user."""

PENDING_WINDOWS = 64
STORED = 50
"""Contents of a stored list."""


class EngagementLog:
    """Notes engagements in the store, at most `per_second`; what comes beyond is left out of the recommendations."""

    def __init__(self, store: EngagementStore, *, per_second: int) -> None:
        self._store = store
        self._per_second = per_second
        self._pending: deque[Growth] = deque(maxlen=PENDING_WINDOWS)

    def observe(self, growth: Growth) -> None:
        """Take note of a window that was counted; returns at once."""
        self._pending.append(growth)

    def start(self) -> None:
        """Begin, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="engagements", daemon=True).start()

    def turn(self) -> int:
        """Write what was noted; how many were left out. Raises Transient when the store does not take it."""
        new: defaultdict[str, dict[str, None]] = defaultdict(dict)
        room, left_out = self._per_second, 0
        while self._pending:
            for group, start, end in self._pending.popleft().counted:
                if group.kind not in ENGAGING:
                    continue
                taken = min(room, end - start)
                for i in range(start, start + taken):
                    new[group.users[i]][group.contents[i]] = None
                room -= taken
                left_out += end - start - taken
        if new:
            self._store.note({user: list(contents) for user, contents in new.items()})
        return left_out

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                if left_out := self.turn():
                    log.info("engagements were left out", count=left_out)
            except Transient as error:
                log.warning("engagements could not be noted", error=str(error))
            except Exception:
                log.exception("noting engagements failed")
            pause.wait(1.0)


class Recommender:
    """What the tasks do. Every method raises Transient when the store fails."""

    def __init__(self, store: EngagementStore, *, chunk: int, chunks: int, queued: int) -> None:
        self._store = store
        self._chunk = chunk
        self._chunks = chunks
        self._queued = queued

    def fan_out(self, waiting: int, send: Callable[[list[str]], Any]) -> None:
        """Send the waiting users in chunks, as many as the queue has room for, which has `waiting` now. A user is sent again until the list
        is stored; who is sent twice changes nothing."""
        metrics.show(WAITING, self._store.waiting_count())
        chunks = min(self._chunks, self._queued - waiting)
        users = self._store.waiting(self._chunk * chunks) if chunks > 0 else []
        for start in range(0, len(users), self._chunk):
            send(users[start : start + self._chunk])

    def learn(self, users: Sequence[str]) -> None:
        """Learn what is new of the users, each once, and store their lists. Who waits no longer was learned by another task."""
        if not (waiting := self._store.still_waiting(users)):
            return
        self._store.learn(waiting, learn)
        histories = self._store.histories(waiting)
        self._store.keep({user: self._list(history) for user, history in histories.items()}, histories)

    def _list(self, history: Sequence[str]) -> list[str]:
        neighbours = {
            content: similar(common, users_of[content], users_of)
            for content, (common, users_of) in self._store.neighbours(history).items()
        }
        return recommend(history, neighbours, (), STORED)


class Recommendations:
    """What the API answers. Raises ports.StoreUnavailable."""

    def __init__(self, reader: RecommendationReader) -> None:
        self._reader = reader

    async def of(self, user: str, limit: int) -> dict[str, Any]:
        """Contents for a user, the best first; what is popular fills up the list, and is all of it for an unknown user."""
        kept, history, popular = await self._reader.recommended(user)
        seen = set(history)
        personal = [content for content in kept if content not in seen][:limit]
        found = recommend(history, {}, [*personal, *popular], limit)
        return {
            "user": user,
            "recommendations": [
                {"content": content, "because": "similar" if content in personal else "popular"} for content in found
            ],
        }
