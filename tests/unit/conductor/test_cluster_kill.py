"""Whom a kill in a cluster hits: the child that runs the command, and again as long as the command was over before the kill arrived."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from conductor.capabilities import Flush, Target
from conductor.harness import cluster_kill, questions
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.outbox_state import Held
from conductor.harness.questions import Question

SHORT, LONG, NEIGHBOUR = Held("1/add", 1, 11), Held("held-1/add", 1, 12), Held("3/add", 1, 13)


class Session:
    """One pool of two pods. Each look at a pod finds the next of `running`; the commands of `over` end before any kill arrives.

    The pods of `flushing` wait in a flush when writes are paused; `late` kills come when they are no longer.
    """

    def __init__(
        self, *running: Sequence[Held], over: Sequence[str] = (), flushing: Sequence[str] = (), late: int = 0
    ) -> None:
        self.runtime = self
        self._flushing, self._late = flushing, late
        self._running, self._over = list(running), over
        self.submitted: list[str] = []
        self.killed: list[tuple[object, ...]] = []

    def pods(self, pool: str) -> Sequence[Mapping[str, Any]]:
        return [{"metadata": {"name": name}, "status": {"podIP": name}} for name in ("pod-1", "pod-2")]

    def ask(self, question: Question) -> Mapping[str, Any]:
        match question:
            case questions.Held():
                return {"commands": [asdict(one) for one in self._running.pop(0)]}
            case questions.StillOpen(keys):
                return {"keys": [key for key in keys if key not in self._over]}
            case questions.HoldFlush("counters", "fcall", address):
                return {"held": address in self._flushing}
            case questions.ReleaseFlush("counters", address):
                self._late -= 1
                return {"gone": self._late < 0}
        raise AssertionError(question)

    def await_loaded(self) -> int:
        return 9

    def now(self) -> float:
        return 1.0

    def submit(self, name: str) -> str:
        self.submitted.append(name)
        return f"held-{len(self.submitted)}"

    @contextlib.contextmanager
    def fault(self, pool: str, which: str, in_flight: int | None) -> Iterator[None]:
        yield

    def kill_child(self, name: str, port: int) -> None:
        self.killed.append((name, port))

    def kill_pod(self, name: str) -> None:
        self.killed.append((name,))


def of(session: Session) -> ClusterSession:
    return cast(ClusterSession, session)


def test_of_a_pod_only_the_child_that_runs_the_command_is_killed() -> None:
    session = Session([], [NEIGHBOUR, LONG])

    kill = cluster_kill.kill_running(of(session), "adders", LONG.key, 1)

    assert ([("pod-2", LONG.port)], (LONG.key,)) == (session.killed, kill.commands)


def test_a_command_that_was_not_started_so_often_is_waited_for() -> None:
    session = Session([LONG], [], [Held(LONG.key, 2, 22)])

    cluster_kill.kill_running(of(session), "adders", LONG.key, 2)

    assert [("pod-1", 22)] == session.killed


def test_where_tasks_are_short_a_long_one_is_submitted_and_hit() -> None:
    session = Session([SHORT], [NEIGHBOUR, LONG])
    target = Target("adders", submitted="{}/add".format)

    kill = cluster_kill.aimed_kill(of(session), target, "tree")

    assert ([("pod-2",)], (NEIGHBOUR.key, LONG.key), 1) == (session.killed, kill.commands, len(session.submitted))


def test_another_one_is_submitted_when_the_first_was_over_before_the_kill() -> None:
    session = Session([LONG], [Held("held-2/add", 1, 14)], over=[LONG.key])
    target = Target("adders", submitted="{}/add".format)

    kill = cluster_kill.aimed_kill(of(session), target, "tree")

    assert ([("pod-1",), ("pod-1",)], ("held-2/add",)) == (session.killed, kill.commands)


def test_where_calls_are_held_whatever_runs_is_hit() -> None:
    session = Session([], [SHORT])

    kill = cluster_kill.aimed_kill(of(session), Target("adders", "server"), "child")

    assert ([("pod-2", SHORT.port)], (SHORT.key,), []) == (session.killed, kill.commands, session.submitted)


def test_of_workers_of_batches_one_that_waits_in_a_flush_is_killed_until_a_kill_comes_in_time() -> None:
    session = Session(flushing=["pod-2"], late=1)
    target = Target("aggregate", flush=Flush("counters", lambda access: 0, "fcall"))

    kill = cluster_kill.aimed_kill(of(session), target, "tree")

    assert ([("pod-2",), ("pod-2",)], "before", 9) == (session.killed, kill.moment, kill.open_orders)
