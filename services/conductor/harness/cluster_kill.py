"""Kills pods, and children in them, while they run commands, as far as that can be told from outside the cluster.

A pod cannot be stopped and looked at, as conductor.harness.targeted_kill does with a process. So a command counts as hit when it has no
outcome after the kill; and it has to run long enough to be still there when the kill arrives. A worker of batches is kept in its flush by
the store (conductor.harness.held_flushes).
"""

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from conductor.capabilities import Flush, Target
from conductor.errors import DrillFailed
from conductor.harness import questions
from conductor.harness.outbox_state import Held
from conductor.history import Kill
from conductor.runtime import Which
from conductor.waiting import until

if TYPE_CHECKING:
    from conductor.harness.cluster_session import ClusterSession

AIMED_SECONDS = 120.0
"""How long a kill waits for a task that it hits."""

Wanted = Callable[[Sequence[Held]], Held | None]
"""Which of the commands that a pod runs is to be hit; None: look again."""


def aimed_kill(session: "ClusterSession", target: Target, which: Which) -> Kill:
    """Kill a pod of the target's pool, or a child in it, that runs a task or holds batches. DrillFailed when no kill hits one."""
    in_flight = session.await_loaded()
    if target.flush is not None:
        return _kill_holding(session, target.pool, target.flush, in_flight)
    if target.server is None and target.submitted is not None:
        return _kill_until_hit(session, target.pool, which, _Submitted(session, target.submitted).wanted, in_flight)
    return _kill_until_hit(session, target.pool, which, lambda: lambda held: held[0] if held else None, in_flight)


def kill_running(session: "ClusterSession", pool: str, command: str, start: int) -> Kill:
    """Kill the child that runs this command for the `start`-th time, or a later one. DrillFailed when no kill hits it."""
    return _kill_until_hit(session, pool, "child", lambda: partial(_find, command, start), None)


def _kill_holding(session: "ClusterSession", pool: str, flush: Flush, in_flight: int) -> Kill:
    """Kill a pod that waits for its store in a flush of what it holds."""

    def hits() -> bool:
        for pod in session.runtime.pods(pool):
            address = pod["status"].get("podIP")
            if not address or not session.ask(questions.HoldFlush(flush.store, flush.command, address))["held"]:
                continue
            with session.fault(pool, "tree", in_flight):
                session.runtime.kill_pod(pod["metadata"]["name"])
                return bool(session.ask(questions.ReleaseFlush(flush.store, address))["gone"])
        return False

    if not until(hits, within_seconds=AIMED_SECONDS):
        raise DrillFailed(f"no kill hit a worker of {pool} in a flush within {AIMED_SECONDS:.0f} s")
    return Kill(session.now(), pool, "tree", (), "before", open_orders=in_flight)


class _Submitted:
    """A request whose command takes some seconds, and another one whenever that is over."""

    def __init__(self, session: "ClusterSession", command_of: Callable[[str], str]) -> None:
        self._session, self._command_of = session, command_of
        self._command = ""

    def wanted(self) -> Wanted:
        if not self._command or not self._session.ask(questions.StillOpen([self._command]))["keys"]:
            self._command = self._command_of(self._session.submit(f"aimed-at-{secrets.token_hex(4)}"))
        return partial(_find, self._command, 1)


def _find(command: str, start: int, held: Sequence[Held]) -> Held | None:
    return next((one for one in held if one.key == command and one.attempts >= start), None)


def _kill_until_hit(
    session: "ClusterSession", pool: str, which: Which, wanted: Callable[[], Wanted], in_flight: int | None
) -> Kill:
    hit: list[str] = []
    if not until(lambda: _hits(session, pool, which, wanted(), in_flight, hit), within_seconds=AIMED_SECONDS):
        raise DrillFailed(f"no kill hit a running task of {pool} within {AIMED_SECONDS:.0f} s")
    return Kill(session.now(), pool, which, (), "during", tuple(hit), in_flight)


def _hits(
    session: "ClusterSession", pool: str, which: Which, wanted: Wanted, in_flight: int | None, hit: list[str]
) -> bool:
    """Kill if something wanted runs. Returns whether some of it has no outcome after the kill, and puts those commands into `hit`."""
    for pod in session.runtime.pods(pool):
        if not (address := pod["status"].get("podIP")):
            continue
        held = [Held(**one) for one in session.ask(questions.Held(address))["commands"]]
        victim = wanted(held)
        if victim is None:
            continue
        name = pod["metadata"]["name"]
        with session.fault(pool, which, in_flight):
            if which == "child":
                session.runtime.kill_child(name, victim.port)
                held = [one for one in held if one.port == victim.port]
            else:
                session.runtime.kill_pod(name)
        hit[:] = session.ask(questions.StillOpen([one.key for one in held]))["keys"]
        return bool(hit)
    return False
