"""The shared drills in a cluster, on a capstone that none of them knows and that no image of this checkout holds; and one broken guard."""

from collections.abc import Callable

import pytest
from playing import played_with, shared_out

from conductor.capstone import Patience
from conductor.harness.drill import Drill
from conductor.harness.runner import Played
from conductor.harness.session import Session

NUMBERS = 40
# What is lost stays lost: no need to wait for it long. Longer than the longest command, since a second pod is there to do it again.
PATIENCE = Patience(total_seconds=240, quiet_seconds=45)

Play = Callable[..., Played]


@pytest.mark.parametrize("name", shared_out(("worker-kill", "rolling-deploy", "broker-restart", "poison-message")))
def test_a_stranger_loses_and_doubles_nothing_in_a_cluster(play: Play, name: str) -> None:
    played = play(name, NUMBERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


def _kill_a_worker(session: Session) -> None:
    (target,) = session.targets()
    with session.replicated(target.pool), session.load():
        session.aimed_kill(target, "tree", "before")


KILL_A_WORKER = Drill("kill-a-worker", "kills a worker in the middle of its tasks", _kill_a_worker)


@played_with(0)
def test_early_ack_is_caught_in_a_cluster_when_nothing_sweeps(
    play: Play, mutate: Callable[[dict[str, str]], None]
) -> None:
    mutate({"counters": "early_ack", "relay": "sweeper_off"})

    played = play(KILL_A_WORKER, NUMBERS, patience=PATIENCE)

    assert played.failure is None
    assert any(finding.fault == "lost" for finding in played.findings)
