"""The disk of the database is lost under load. It is restored to a time before many orders were accepted, charged and shipped: what the
archive still knows of them is placed again, customers who miss their order place it again, and what nobody asks for is undone.
"""

import os
import shutil
import signal
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from conductor import history
from conductor.capstones.orders import reconciling
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.evidence import LedgerTail
from conductor.capstones.orders.workload import wish_of
from conductor.errors import Refused
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage
from conductor.history import Accepted, Restored, now
from conductor.laptop import restore, start
from conductor.laptop.backups import Backups
from conductor.laptop.runtime import LocalRuntime, locked

HELD_UP = "fulfilment"
"""Stopped when the last orders came in, so that some that nobody will know of are charged and not shipped: they can be undone."""

GONE = 2
"""Every second customer of such an order never comes back for it."""


def play(stage: Stage, settings: Mapping[str, str] | None = None) -> None:
    """Back up, lose the disk, restore, reconcile; `settings` are environment variables of the reconciliation."""
    runtime = stage.runtime
    if not isinstance(runtime, LocalRuntime):
        raise Refused("point-in-time-restore is played on a laptop")
    backups = Backups(runtime.platform.run)
    postgres = runtime.platform.postgres
    reconcile = partial(reconciling.reconcile, runtime, actor="drill", settings=settings)
    with stage.orders():
        stage.await_open()
        base = backups.take(postgres)
        stage.story.tell(f"base backup {base.name} under load; all backups are {backups.size_bytes() / 1e6:.1f} MB")
        stage.await_progress()
        stage.await_open()
        mark = postgres.clock()
        stage.story.tell(f"{mark:%H:%M:%S} is the time to go back to")
        # Placed, paid, shipped and delivered after that time, and in the archive.
        stage.await_progress()
        stage.expect(backups.close_segment(postgres), "the log was not archived in time")
        _lose_the_disk(stage, runtime)
        _restore(stage, runtime, mark)
        stage.story.tell(f"to be settled: {reconcile().told['summary']}")
        told = reconcile(apply=True).told
        stage.story.tell(f"settled: {told['summary']}")
        stage.expect(
            bool(told["again"]["missing"]),
            "the archive knew of no order that the database does not: nothing was drilled",
        )
        with locked(runtime.platform.run):
            start.start_pools(runtime.platform, stage.story.tell)
        _customers_look(stage, runtime)
        stage.story.tell(f"settled at last: {reconcile(apply=True, undo=True).told['summary']}")
        stage.await_progress()


def _lose_the_disk(stage: Stage, runtime: LocalRuntime) -> None:
    archived = now()
    few = max(2, stage.size.open_orders // 20)
    stage.wait_for(lambda: len(_since(stage, archived)) >= 2 * few, "orders that the archive knows nothing of")
    with LedgerTail(runtime) as ledgers:
        runtime.kill(HELD_UP, "tree", signal.SIGSTOP)
        try:
            stage.wait_for(
                lambda: len(_charged_only(ledgers) & _since(stage, archived)) >= few, "some of them to be charged"
            )
            data = runtime.platform.postgres.data
            lost = data.rename(data.with_name("postgres.lost"))
            os.kill(runtime.platform.supervisor.process("postgres").pid, signal.SIGKILL)
            shutil.rmtree(lost, ignore_errors=True)
        finally:
            runtime.kill(HELD_UP, "tree", signal.SIGCONT)
    stage.story.tell(f"[red]the disk of the database is lost[/red], and {now() - archived:.1f} s of its log with it")


def _restore(stage: Stage, runtime: LocalRuntime, mark: datetime) -> None:
    began = now()
    point = restore.restore(runtime.platform, mark, stage.story.tell)
    stage.journal.write(Restored(now(), point.to.timestamp()))
    stage.story.tell(f"restored in {now() - began:.1f} s")


def _customers_look(stage: Stage, runtime: LocalRuntime) -> None:
    """Whoever has a receipt looks at their order, and places it again when there is none: the same request with the same key."""
    told = history.read([stage.journal.path])
    with OrdersApi.of(runtime) as api, LedgerTail(runtime) as ledgers:
        known = {order["order_id"] for order in stage.insist(lambda: list(api.orders()))}
        missing = {a.order_id: a for a in told.accepted.values() if a.order_id not in known}
        gone = set(sorted(missing.keys() & _charged_only(ledgers))[::GONE])
        stage.expect(bool(gone), "no order is charged, not shipped and unknown: nothing was drilled")
        returned = [a for i, a in missing.items() if i not in gone and a.key not in told.cancelled]
        stage.story.tell(
            f"{len(missing)} customers miss their order; {len(returned)} place it again, {len(gone)} never come back"
        )
        for accepted in returned:
            _, wish = wish_of(told.intents[accepted.key].customer, stage.size.seed)
            receipt = stage.insist(partial(api.place, accepted.key, wish.body))
            same = receipt["order_id"] == accepted.order_id
            stage.expect(same, f"key {accepted.key} made {accepted.order_id}, and then {receipt['order_id']}")
            stage.journal.write(Accepted(now(), accepted.key, receipt["order_id"], receipt["total_minor"], 1))


def _since(stage: Stage, moment: float) -> set[str]:
    """Orders that were accepted after this moment."""
    accepted = history.read([stage.journal.path]).accepted.values()
    return {one.order_id for one in accepted if one.at > moment}


def _charged_only(ledgers: LedgerTail) -> set[str]:
    """Orders that were charged, and whose parcel the carrier does not have."""
    ledgers.read("payments", "carrier")
    charged = {entry["order_id"] for entry in ledgers.entries["payments"] if entry["kind"] == "capture"}
    back = {entry["order_id"] for entry in ledgers.entries["payments"] if entry["kind"] == "refund"}
    shipped = {entry["order_id"] for entry in ledgers.entries["carrier"] if entry["kind"] == "handover"}
    return charged - back - shipped


DRILL = Drill("point-in-time-restore", "loses the database's disk, and goes back to an earlier time", play, orders=1000)
