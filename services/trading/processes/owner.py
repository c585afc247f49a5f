"""The owner of one shard: starts engine and gateway over rings, sees when one is dead or silent, and replaces both over new rings.

It is a plain class: whoever runs it calls `check` at least every 0.1 s from one thread, and `stop` at the end. The children are forked from
a server of `multiprocessing` that ends when the owner's process does, and they with it. `python -m trading.run_shard` runs it alone.
"""

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess

from trading.adapters.board import Board, Field, State
from trading.adapters.ring import Ring
from trading.processes import engine, gateway_start, keeper
from trading.processes.counts import Counts, counted
from trading.processes.followers import Followed, Follower
from trading.processes.settings import ShardSettings
from trading.processes.silence import Silence

log = logging.getLogger(__name__)

CHECK_SECONDS = 0.05
MOST_SILENT_SECONDS, CALM_SECONDS = 5.0, 30.0
"""Each child that was killed for its silence doubles the patience up to the first, because a machine whose disk does not answer is not
helped by processes that start. After so many seconds without one it is what it was."""
LATE_SECONDS = 0.25
"""An owner that comes so late was kept off the cores, or its machine stood still, and its children perhaps as well: their silence
counts anew.
"""
STARTING_SECONDS = 10.0
"""The same until a child has shown its first one: Python starts, modules are imported."""
FIRST_PAUSE, LONGEST_PAUSE = 0.0, 5.0
"""Seconds before children are started again that died before both were ready; the first pause is nothing, each next one twice as long."""
DRAIN_SECONDS = 20.0


KEEPER = Follower("keeper", keeper.main)


class Owner:
    """Engine, gateway and followers of a shard. One thread owns it; others may ask for `ready`, `number` and `counts`."""

    def __init__(self, settings: ShardSettings, followers: Sequence[Follower] = (KEEPER,)) -> None:
        self.settings = settings
        self._followers = [Followed(one) for one in followers]
        # A child is forked from a server that has imported all of it: two interpreters that start take a second on a busy machine.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            [engine.__name__, gateway_start.__name__, *(one.main.__module__ for one in followers)]
        )
        self._board: Board | None = None
        self._reading = threading.Lock()
        """Held by who reads the board, and by who takes it away."""
        self._rings: tuple[Ring, Ring] | None = None
        self._children: dict[str, ForkServerProcess] = {}
        self._silences: dict[str, Silence] = {}
        self._was_ready = False
        self._failures = 0
        self._patience_seconds = settings.silent_seconds
        self._start_at = self._started = self._checked = self._awake_since = 0.0
        self.replaced = 0
        """How often both children were replaced."""
        self.why = ""
        """Why they were the last time."""
        self._past = Counts()

    def start(self) -> None:
        """Start the children; returns before they are ready."""
        self._board = Board()
        self._rings = Ring(self._context, self.settings.slots), Ring(self._context, self.settings.slots)
        arguments = (self.settings, self._board, *self._rings)
        for field in (Field.ENGINE_BEAT, Field.GATEWAY_BEAT):
            self._board.beat(field)
        self._started = time.monotonic()
        self._was_ready = False
        for name, main in (("engine", engine.main), ("gateway", gateway_start.main)):
            child = self._context.Process(target=main, args=arguments, name=f"trading-{name}")
            child.start()
            self._children[name] = child
            self._silences[name] = Silence(child.pid or 0)
        self._follow()

    def check(self) -> None:
        """Look after the children, and replace both when one is dead or silent."""
        now = time.monotonic()
        if now - self._checked > LATE_SECONDS:
            self._awake_since = now
        self._checked = now
        if not self._children:
            if now >= self._start_at:
                self.start()
            return
        if self.ready:
            self._was_ready, self._failures = True, 0
            if now - self._started > CALM_SECONDS:
                self._patience_seconds = self.settings.silent_seconds
        why = self._trouble()
        if why:
            self._replace(why)
        self._follow()

    @property
    def ready(self) -> bool:
        """Whether orders are taken."""
        with self._reading:
            return self._board is not None and all(
                self._board.get(field) == State.READY for field in (Field.ENGINE_STATE, Field.GATEWAY_STATE)
            )

    @property
    def port(self) -> int:
        """The port of FIX; 0 until the gateway listens."""
        return self.number(Field.GATEWAY_PORT)

    def pid(self, name: str) -> int:
        """The process id of `engine`, `gateway` or a follower; 0 when there is none now."""
        child = self._children.get(name) or next(
            (one.process for one in self._followers if one.follower.name == name), None
        )
        return child.pid or 0 if child else 0

    def number(self, field: Field) -> int:
        """A number that a child shows; 0 when there is none now."""
        with self._reading:
            return self._board.get(field) if self._board else 0

    def counts(self) -> Counts:
        """What all children counted so far, those that were replaced included."""
        with self._reading:
            return self._past + counted(self._board) if self._board else self._past

    def stop(self) -> bool:
        """Refuse new orders, empty the ring, sync, snapshot, end. False when a child had to be killed."""
        until = time.monotonic() + DRAIN_SECONDS
        clean = bool(self._children) and self._drain(until)
        for child in self._all():
            if child.is_alive():
                child.kill()
                child.join()
        clean = clean and all(child.exitcode == 0 for child in self._children.values())
        self._let_go()
        return clean

    def _drain(self, until: float) -> bool:
        board, both = self._board, self._children
        assert board is not None
        # A child that still reads its journal has no handler yet, and ends when it has.
        for name, field in (("gateway", Field.GATEWAY_STATE), ("engine", Field.ENGINE_STATE)):
            both[name].terminate()
            while board.get(field) != State.DRAINED:
                if time.monotonic() > until or not all(one.is_alive() for one in both.values()):
                    return board.get(field) == State.DRAINED
                time.sleep(0.01)
        # Now there is no more to follow: what they do last, they do for all of the journal.
        for one in self._followers:
            if one.process is not None:
                one.process.terminate()
        for child in self._all():
            child.join(max(until - time.monotonic(), 0.1))
        return True

    def _all(self) -> list[ForkServerProcess]:
        return [*self._children.values(), *(one.process for one in self._followers if one.process is not None)]

    def _trouble(self) -> str:
        """Why the children have to be replaced, or nothing."""
        for name, child in self._children.items():
            if child.exitcode is not None:
                return f"{name} ended with {child.exitcode}"
        assert self._board is not None
        young = time.monotonic() - self._started < STARTING_SECONDS and not self._was_ready
        for name, field in (("engine", Field.ENGINE_BEAT), ("gateway", Field.GATEWAY_BEAT)):
            shown = min(self._board.silent_seconds(field), time.monotonic() - self._awake_since)
            silent = self._silences[name].counted(shown)
            if silent > (STARTING_SECONDS if young else self._patience_seconds):
                most = max(MOST_SILENT_SECONDS, self.settings.silent_seconds)
                self._patience_seconds = min(2 * self._patience_seconds, most)
                return f"{name} was silent for {silent:.2f} s"
        return ""

    def _replace(self, why: str) -> None:
        log.warning("children_replaced", extra={"reason": why, "replaced": self.replaced + 1})
        self.why = why
        self.replaced += 1
        for child in self._children.values():
            # The old engine is gone before the new one starts: only one may hold the journal.
            child.kill()
        for child in self._children.values():
            child.join()
        self._let_go()
        pause = FIRST_PAUSE
        if not self._was_ready:
            self._failures += 1
            pause = min(0.1 * 2**self._failures, LONGEST_PAUSE)
        self._start_at = time.monotonic() + pause
        if not pause:
            self.start()

    def _let_go(self) -> None:
        for child in self._children.values():
            child.close()
        self._children = {}
        rings, self._rings = self._rings or (), None
        with self._reading:
            if self._board is not None:
                self._past += counted(self._board)
                self._board.unlink()
            self._board = None
        for ring in rings:
            ring.unlink()

    def _follow(self) -> None:
        for one in self._followers:
            one.look_after(self._context, self.settings)


def run(settings: ShardSettings) -> int:
    """Own a shard until SIGTERM or SIGINT; 0 when it was drained."""
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    owner = Owner(settings)
    owner.start()
    said = False
    while not ended:
        owner.check()
        if owner.ready and not said:
            said = True
            log.info("shard_ready", extra={"port": owner.port})
        time.sleep(CHECK_SECONDS)
    return 0 if owner.stop() else 1
