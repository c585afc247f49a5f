"""A drill that cannot fail proves nothing: with a guard broken, each of these is not sound; with it whole, the same drill is.

Broken processes take the place of sound ones by a roll, and run the same code with one guard taken away (see tests/mutants). Guards that
are the chassis' alone are broken on another capstone (tests/drills).
"""

from collections.abc import Callable
from functools import partial

import pytest

from conductor.capstone import Patience
from conductor.capstones.orders.drills import point_in_time_restore
from conductor.harness.drill import Drill
from conductor.harness.runner import Played

# Each on the broker where it takes less time.
on_rabbitmq = pytest.mark.parametrize("runtime", ["rabbitmq"], indirect=True)
on_valkey = pytest.mark.parametrize("runtime", ["valkey"], indirect=True)

ORDERS = 40
# What is lost stays lost: no need to wait for it long.
PATIENCE = Patience(total_seconds=300, quiet_seconds=15, hanging_seconds=10)

Mutate = Callable[..., None]
Plays = Callable[..., Played]


@on_rabbitmq
def test_idempotency_off_is_caught(play: Plays, mutate: Mutate) -> None:
    mutate("idempotency_off", pools=["payments"])

    played = play("duplicate-delivery", ORDERS, patience=PATIENCE)

    assert any(finding.fault == "doubled" and "charged" in finding.why for finding in played.findings)


@on_valkey
def test_sweeper_off_is_caught(play: Plays, mutate: Mutate) -> None:
    mutate("sweeper_off", pools=["relay"])

    played = play("broker-wipe", ORDERS, patience=PATIENCE)

    assert any(finding.fault == "lost" for finding in played.findings)


@on_rabbitmq
def test_reconciliation_off_is_caught(play: Plays, mutant: Callable[[str], dict[str, str]]) -> None:
    unreconciled = Drill(
        "restore-unreconciled",
        "restores the database, and looks neither at the provider nor at the carrier",
        on_laptop=partial(point_in_time_restore.play, settings=mutant("reconciliation_off")),
    )

    played = play(unreconciled, ORDERS, patience=PATIENCE)

    assert {"lost", "doubled"} == {finding.fault for finding in played.findings}


@on_rabbitmq
def test_gate_off_is_caught(play: Plays, mutate: Mutate) -> None:
    mutate("gate_off", pools=["payments"])

    played = play("hostile-hour", ORDERS, patience=PATIENCE)

    assert "a process was restarted" in (played.failure or "") or "strange messages" in (played.failure or "")
