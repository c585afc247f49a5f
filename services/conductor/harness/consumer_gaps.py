"""How long queues were without a consumer, as the broker itself says, asked many times a second by a thread of its own.

Asked by AMQP (`queue.declare`, passive), which the queue answers as it is; the management API repeats what queues told it up to 5 s ago.
It needs a login that may configure the queues: RabbitMQ 4.3 asks for that, 3.10 for nothing. A consumer that was cancelled counts until
what it holds is acknowledged (quorum queues count so).
"""

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import amqp

from conductor.amqp_client import connected
from conductor.errors import DrillFailed, Refused

EVERY_SECONDS = 0.1
CONNECT_SECONDS = 5


class Gaps:
    """The longest time of each queue between two sights of a consumer; time is an argument.

    A time in which nobody looked counts as one without a consumer, so a gap may be too long by the looks' distance and never too short.
    """

    def __init__(self, queues: Sequence[str], now: float) -> None:
        """Every queue is taken to have one now."""
        self._seen = dict.fromkeys(queues, now)
        self._longest = dict.fromkeys(queues, 0.0)
        self._fewest_most: dict[str, tuple[int, int]] = {}
        self._looked = now
        self.coarsest = 0.0
        self.looks = 0

    def look(self, consumers: Mapping[str, int], now: float) -> None:
        """What was seen; a queue that is not named was not there."""
        self.looks += 1
        self.coarsest, self._looked = max(self.coarsest, now - self._looked), now
        for queue in self._seen:
            count = consumers.get(queue, 0)
            fewest, most = self._fewest_most.get(queue, (count, count))
            self._fewest_most[queue] = (min(fewest, count), max(most, count))
            self._longest[queue] = max(self._longest[queue], now - self._seen[queue])
            if count:
                self._seen[queue] = now

    def told(self, now: float) -> dict[str, Any]:
        """By queue the longest gap in seconds (`gaps`), fewest and most consumers; how often, and how seldom at worst, was looked."""
        longest = {queue: max(long, now - self._seen[queue]) for queue, long in self._longest.items()}
        return {
            "gaps": {queue: round(seconds, 2) for queue, seconds in longest.items()},
            "consumers": {queue: list(counts) for queue, counts in self._fewest_most.items()},
            "looks": self.looks,
            "coarsest": round(self.coarsest, 2),
        }


class ConsumerWatch:
    """Looks until it is closed; a broker that does not answer is not seen to have a consumer."""

    def __init__(self, url: str, queues: Sequence[str]) -> None:
        """`url` is the broker's, amqp://. Refused when it is another's."""
        if not url.startswith("amqp://"):
            raise Refused(f"{url.partition(':')[0]} is no RabbitMQ: nobody else says how many consumers a queue has")
        self._url = url
        self._queues = queues
        self._gaps = Gaps(queues, time.monotonic())
        self._failed = "not yet"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumers", daemon=True)
        self._thread.start()

    def told(self) -> dict[str, Any]:
        """See Gaps.told. Raises DrillFailed when not one look was possible, which proves nothing."""
        if not self._gaps.looks:
            raise DrillFailed(f"nobody could look at the queues' consumers: {self._failed}")
        return self._gaps.told(time.monotonic())

    def close(self) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        connection = None
        while not self._over.is_set():
            try:
                connection = connection or connected(
                    self._url, connect_timeout=CONNECT_SECONDS, client_properties={"connection_name": "consumer watch"}
                )
                channel = connection.channel()
                while not self._over.wait(EVERY_SECONDS):
                    self._gaps.look(
                        {queue: self._consumers(channel, queue) for queue in self._queues}, time.monotonic()
                    )
            except (amqp.AMQPError, OSError) as error:
                self._failed = str(error)
                if connection is not None:
                    with contextlib.suppress(amqp.AMQPError, OSError):
                        connection.close()
                connection = None
                self._over.wait(EVERY_SECONDS)
        if connection is not None:
            with contextlib.suppress(amqp.AMQPError, OSError):
                connection.close()

    @staticmethod
    def _consumers(channel: Any, queue: str) -> int:
        return int(channel.queue_declare(queue, passive=True).consumer_count)
