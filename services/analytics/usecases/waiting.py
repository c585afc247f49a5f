"""How many batches wait for an aggregator, asked of the broker again and again while the API runs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from chassis.errors import Transient

EVERY_SECONDS = 1.0


class WaitingBatches:
    """The broker's last answer."""

    def __init__(
        self, ask: Callable[[], Awaitable[Mapping[str, int]]], show: Callable[[str, float], None] = lambda *_: None
    ) -> None:
        """`ask` tells the messages that wait by queue, and raises Transient; `show` is told each, and `nan` while there is no answer."""
        self._ask = ask
        self._show = show
        self._waiting: Mapping[str, int] = {}

    @property
    def batches(self) -> int | None:
        """Batches in all queues together; None while the broker does not tell."""
        return sum(self._waiting.values()) if self._waiting else None

    async def follow(self) -> None:
        """Ask every second, until it is cancelled."""
        while True:
            before = self._waiting
            try:
                self._waiting = await self._ask()
            except Transient:
                self._waiting = {}
            for queue in {*before, *self._waiting}:
                self._show(queue, self._waiting.get(queue, float("nan")))
            await asyncio.sleep(EVERY_SECONDS)
