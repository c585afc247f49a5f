"""Tells the shop what became of its parcels: many at a time, signed, again and again until it answers 2xx.

The signature is hex HMAC-SHA256 over "<X-Carrier-Timestamp>.<raw body>", the timestamp being that of the sending, in
unix seconds. At least once: a crash between the shop's answer and our note of it sends the same `event_id` again. A
parcel's news is told in order unless a fault says otherwise; news of different parcels never waits for one another.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterable

from outside.parcels import News, Parcels
from outside.poster import Poster

log = logging.getLogger(__name__)

# Sent at the same time; the shop's own workers are the limit before this is.
IN_FLIGHT = 32
# The shop has this long to answer.
ANSWER_SECONDS = 5.0
# Backoff between sendings of one event: doubles from the first to the last, with jitter. The last is short, since what is tried
# here is restarts of seconds, and a shop that is back should not wait long for its news.
FIRST_BACKOFF_SECONDS = 0.25
LAST_BACKOFF_SECONDS = 5.0


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Carrier-Signature."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def backoff_seconds(failures: int, chance: float) -> float:
    """How long to wait after so many failures (1 or more); `chance` is from 0 to 1."""
    ceiling = min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16))
    return ceiling * (0.5 + chance / 2)


class Callbacks:
    """Sends the news that `parcels` owes by `poster`."""

    def __init__(self, parcels: Parcels, poster: Poster, secret: str) -> None:
        self._parcels = parcels
        self._secret = secret
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._behind: dict[str, list[News]] = defaultdict(list)
        self._running: set[asyncio.Task[None]] = set()
        self._poster = poster

    def owe(self, news: Iterable[News]) -> None:
        """Send these when they are due; what stands behind another event waits until that one was taken."""
        batch = list(news)
        waiting = {item.event_id for item in batch}
        for item in batch:
            # What it stands behind may have been taken before a restart: then it is not among the owed any more.
            if item.behind in waiting:
                self._behind[item.behind].append(item)
            else:
                self._begin(item)

    async def close(self) -> None:
        """Stop sending; what is still owed is in the store."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._poster.close()

    def _begin(self, news: News) -> None:
        task = asyncio.create_task(self._tell(news))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _tell(self, news: News) -> None:
        await asyncio.sleep(max(0.0, news.due_at - time.time()))
        failures = 0
        lost = news.fault == "callback_lost_once"
        while lost or not await self._sent(news):
            lost = False
            failures += 1
            await asyncio.sleep(backoff_seconds(failures, random.random()))
        if news.fault == "callback_duplicate":
            await self._sent(news)
        self._parcels.taken(news)
        for item in self._behind.pop(news.event_id, ()):
            self._begin(item)

    async def _sent(self, news: News) -> bool:
        body = json.dumps(
            {
                "event_id": news.event_id,
                "tracking_number": news.tracking_number,
                "kind": news.kind,
                "at": news.at,
            }
        ).encode()
        async with self._slots:
            timestamp = str(int(time.time()))
            headers = {
                "Content-Type": "application/json",
                "X-Carrier-Timestamp": timestamp,
                "X-Carrier-Signature": signature(self._secret, timestamp, body),
            }
            try:
                status = await self._poster.post(body, headers, seconds=ANSWER_SECONDS)
            except OSError as error:
                log.info("callback %s of %s: %r", news.kind, news.tracking_number, error)
                return False
        if not 200 <= status < 300:
            log.info("callback %s of %s: answered %d", news.kind, news.tracking_number, status)
            return False
        return True
