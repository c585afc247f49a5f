"""Drills of the analytics, small: a sound platform has every counter right, and one with a broken guard has not."""

import json
from collections.abc import Callable

import pytest

from conductor.capstone import Patience
from conductor.capstones.analytics.smoke import SHAPE, smoke
from conductor.harness.drill import Drill
from conductor.harness.runner import Played
from conductor.harness.session import Session
from conductor.harness.smoke_program import Answers
from conductor.laptop.runtime import LocalRuntime

pytestmark = pytest.mark.parametrize("runtime", ["rabbitmq"], indirect=True)

REQUESTS = 30
# What is lost stays lost: no need to wait for it long.
PATIENCE = Patience(total_seconds=300, quiet_seconds=15)

KILLS = 3

Mutate = Callable[..., None]
Plays = Callable[..., Played]


@pytest.mark.parametrize("name", ["combined-faults", "counters-full"])
def test_every_counter_is_right(play: Plays, name: str) -> None:
    played = play(name, REQUESTS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


def test_a_smoke_test_sees_every_request_counted_once(runtime: LocalRuntime) -> None:
    access = Answers(runtime.addresses()["api"], runtime.tokens())

    told = json.loads(smoke(access, requests=5, within_seconds=60).as_json())

    assert (5, 5 * SHAPE.events, 0) == (told["requests"], told["events"], told["errors"])


def test_part_ids_off_is_caught(play: Plays, mutate: Mutate) -> None:
    mutate("part_ids_off", pools=["aggregate"])

    played = play("edge-kill", REQUESTS, patience=PATIENCE)

    assert any(finding.fault == "doubled" for finding in played.findings)


def test_acknowledged_before_the_flush_is_caught(play: Plays, mutate: Mutate) -> None:
    mutate("ack_before_flush", pools=["aggregate"])

    played = play(
        Drill("kills-before-a-flush", "kills workers that hold batches", _kill_before), REQUESTS, patience=PATIENCE
    )

    assert any(finding.fault == "lost" for finding in played.findings)


def _kill_before(session: Session) -> None:
    with session.load():
        for target in [*session.targets()] * KILLS:
            session.await_loaded()
            session.aimed_kill(target, "tree", "before")
