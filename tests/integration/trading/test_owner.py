"""A child that is dead or silent is replaced within a second, nothing acknowledged is lost, and the end is orderly."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from fix_client import FixClient

from servers import wait_until
from trading.adapters.board import Field
from trading.adapters.journal.reader import records
from trading.adapters.journal.verification import verify
from trading.adapters.layouts import decode_outcome, slots
from trading.adapters.snapshots import newest
from trading.domain.engine import Engine
from trading.domain.snapshot import snapshot
from trading.domain.terms import Outcome
from trading.processes import owner as owner_module
from trading.usecases.replay import replay


def test_a_child_that_is_gone_or_silent_is_replaced(owned):
    client = owned.client()
    client.log_on()
    client.order(1)
    client.receive("8")
    for child, number in (("engine", signal.SIGKILL), ("gateway", signal.SIGKILL), ("engine", signal.SIGSTOP)):
        client.socket.close()
        pids = [owned.owner.pid(one) for one in ("engine", "gateway")]
        before = owned.owner.replaced

        os.kill(owned.owner.pid(child), number)
        began = time.monotonic()
        owned.until(lambda before=before: owned.owner.replaced > before)
        seen = time.monotonic() - began
        owned.until(lambda: owned.owner.ready)

        assert seen < 1
        assert not {owned.owner.pid(one) for one in ("engine", "gateway")} & set(pids)
        client = FixClient(owned.owner.port, client.number, client.next_out)
        client.log_on()
        client.send("H", (11, 1), (55, client.symbol), (54, 1))
        assert b"0" == client.receive("8").get(39)


def test_a_patient_owner_lets_an_engine_stand_still_for_a_while(patient):
    client = patient.client()
    client.log_on()
    os.kill(patient.owner.pid("engine"), signal.SIGSTOP)
    try:
        until = time.monotonic() + 1.5
        patient.until(lambda: time.monotonic() > until)
    finally:
        os.kill(patient.owner.pid("engine"), signal.SIGCONT)
    client.order(1)

    assert b"0" == client.receive("8").get(150)
    assert 0 == patient.owner.replaced


HOG = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
end = time.monotonic() + 2.5
while time.monotonic() < end:
    pass
"""
"""Leaves a core to others for a twentieth of each second only, which is what Linux leaves of a core that real-time threads want."""


@pytest.mark.skipif(os.geteuid() != 0, reason="to take a core from others takes root")
def test_a_child_that_gets_no_core_is_not_replaced(owned):
    *others, core = sorted(os.sched_getaffinity(0))
    before, silences = owned.owner.replaced, []

    def ended() -> bool:
        silences.append((time.monotonic_ns() - owned.owner.number(Field.ENGINE_BEAT)) / 1e9)
        return hog.poll() is not None

    with (
        placed(0, others or [core]),
        placed(owned.owner.pid("engine"), [core]),
        subprocess.Popen([sys.executable, "-c", HOG, str(core)]) as hog,
    ):
        owned.until(ended)

    assert 0 == hog.returncode
    assert max(silences) > owned.settings.silent_seconds
    assert (before, True) == (owned.owner.replaced, owned.owner.ready)


@contextlib.contextmanager
def placed(pid, cores):
    """A process runs on these cores during the block."""
    before = os.sched_getaffinity(pid)
    os.sched_setaffinity(pid, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(pid, before)


def test_no_acknowledged_order_is_lost_and_none_executes_twice(owned):
    sent, acknowledged = 0, set()
    client = owned.client()
    for _ in range(3):
        client = FixClient(owned.owner.port, client.number, client.next_out)
        client.log_on(reset=True)
        client.next_out = 2
        for burst in range(400):
            sent += 1
            client.order(sent, side=1 + burst % 2, account=1 + burst % 2)
            if burst == 300:
                os.kill(owned.owner.pid("engine"), signal.SIGKILL)
        before = owned.owner.replaced
        owned.until(lambda before=before: owned.owner.replaced > before)
        acknowledged |= read_to_the_end(client)
        owned.until(lambda: owned.owner.ready)

    assert owned.owner.stop()
    journal = owned.settings.journal
    outcomes = [decode_outcome(one) for _, record in records(journal) for one in slots(record)[1:]]
    kept = [one[2] for one in outcomes if one[0] == Outcome.ACKNOWLEDGED]
    trades = [(one[5], one[12], one[13]) for one in outcomes if one[0] == Outcome.EXECUTED]
    assert acknowledged
    assert set() == acknowledged - set(kept)
    assert len(set(kept)) == len(kept)
    assert len(set(trades)) == len(trades)
    assert [] == verify(journal).findings
    rebuilt = Engine()
    replay(rebuilt, records(journal))
    assert snapshot(rebuilt) == snapshot(newest(owned.settings.snapshots))


def read_to_the_end(client: FixClient) -> set[int]:
    """Client ids of the orders that were acknowledged before the connection broke."""
    found = set()
    try:
        while True:
            message = client.receive("8")
            if message.get(150) == b"0":
                found.add(int(message.get(11)))
    except (ConnectionError, AssertionError):
        return found


def own(settings, pids):
    """An owner in a process of its own, which says who its children are."""
    owner = owner_module.Owner(settings)
    owner.start()
    while not owner.ready:
        owner.check()
        time.sleep(0.01)
    pids.send([owner.pid("engine"), owner.pid("gateway")])
    while True:
        owner.check()
        time.sleep(0.05)


def test_both_children_die_with_their_owner(owned):
    assert owned.owner.stop()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=own, args=(owned.settings, theirs))
    process.start()
    pids = ours.recv()
    os.kill(pids[0], signal.SIGSTOP)
    process.kill()
    process.join()

    wait_until(lambda: not any(map(runs, pids)), what="the children to end", seconds=5)


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
