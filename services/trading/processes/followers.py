"""Processes that follow a shard's journal beside the engine: nothing waits for them, and they die with their owner."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from trading.adapters.journal.segment import segments
from trading.processes.lifeline import die_with_owner, ended_by
from trading.processes.settings import ShardSettings

log = logging.getLogger(__name__)

SHORT_LIFE_SECONDS = 5.0
"""A follower that ended sooner is not started again before."""


@dataclass(frozen=True, slots=True)
class Follower:
    """A process that only reads the journal. It is started again when it ends, and trading goes on without it."""

    name: str
    main: Callable[..., None]
    """A function of a module; it is called with the shard's settings and `arguments`, and ends with SIGTERM."""
    arguments: tuple[Any, ...] = ()


class Followed:
    """A follower at work; its owner looks after it, always from the same thread."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self._started = 0.0
        self.process: ForkServerProcess | None = None

    def look_after(self, context: ForkServerContext, settings: ShardSettings) -> None:
        """Start the process when there is none; one that does not live for long, after a pause."""
        if self.process is not None and self.process.exitcode is None:
            return
        if self.process is not None:
            if time.monotonic() - self._started < SHORT_LIFE_SECONDS:
                return
            log.warning("follower_replaced", extra={"follower": self.follower.name, "exit_code": self.process.exitcode})
            self.process.close()
        self._started = time.monotonic()
        self.process = context.Process(
            target=self.follower.main,
            args=(settings, *self.follower.arguments),
            name=f"trading-{self.follower.name}",
        )
        self.process.start()


def begun(settings: ShardSettings, pause_seconds: float) -> Callable[[], bool]:
    """Begin a follower's process: behind the engine in line for a core, once there is a journal or SIGTERM; whether that came."""
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    ended_by(end)
    die_with_owner()
    os.nice(10)
    while not ended and not segments(settings.journal):
        time.sleep(pause_seconds)
    return lambda: ended
