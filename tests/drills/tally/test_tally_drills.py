"""The shared drills on a capstone that none of them knows, small; and the guards of the chassis without which they are not sound.

What it proves of the chassis and of the harness, no capstone has to prove again: the mutants of acknowledgement and outbox are here only.
"""

from collections.abc import Callable

import pytest

from conductor.capabilities import Moment
from conductor.capstone import Patience
from conductor.harness.drill import Drill
from conductor.harness.runner import Played
from conductor.harness.session import Session

NUMBERS = 40
# What is lost stays lost: no need to wait for it long. The sound twin passes with the same patience.
PATIENCE = Patience(total_seconds=300, quiet_seconds=15, hanging_seconds=10)

AROUND: tuple[Moment, ...] = ("before", "after")

Mutate = Callable[..., None]
Plays = Callable[..., Played]


@pytest.mark.parametrize("name", ["worker-kill", "rolling-deploy", "broker-restart", "poison-message"])
def test_a_stranger_loses_and_doubles_nothing(play: Plays, name: str) -> None:
    played = play(name, NUMBERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


def _kill_workers(session: Session) -> None:
    (target,) = session.targets()
    with session.load():
        # Twice only: whoever is hit three times is taken for poison on this platform.
        for moment in AROUND:
            session.await_loaded()
            session.aimed_kill(target, "tree", moment)


KILL_WORKERS = Drill("kill-workers", "kills the workers in the middle of their tasks", _kill_workers)


def test_early_ack_is_caught_when_nothing_sweeps(play: Plays, mutate: Mutate) -> None:
    mutate("sweeper_off", pools=["relay"])
    mutate("early_ack", pools=["counters"])

    played = play(KILL_WORKERS, NUMBERS, patience=PATIENCE)

    assert any(finding.fault == "lost" for finding in played.findings)


def test_late_acknowledgement_alone_survives_kills_when_nothing_sweeps(play: Plays, mutate: Mutate) -> None:
    mutate("sweeper_off", pools=["relay"])

    played = play(KILL_WORKERS, NUMBERS, patience=PATIENCE)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


def test_outbox_bypassed_is_caught(play: Plays, mutate: Mutate) -> None:
    mutate("outbox_bypassed", pools=["api"])

    played = play("broker-wipe", NUMBERS, patience=PATIENCE)

    assert any(finding.fault == "lost" for finding in played.findings)
