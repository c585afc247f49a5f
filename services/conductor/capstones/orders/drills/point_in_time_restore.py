"""The disk of the database is lost under load. It is restored to a time before many orders were accepted, charged and shipped: what the
archive still knows of them is placed again, customers who miss their order place it again, and what nobody asks for is undone.
"""

import os
import shutil
import signal
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from conductor.capstones.orders import evidence, promises, reconciling
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.promises import Accepted
from conductor.capstones.orders.workload import place_again
from conductor.errors import Refused
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.harness.ledgers import LedgerTail
from conductor.harness.load import insist
from conductor.history import Restored, now
from conductor.laptop import restore, start
from conductor.laptop.backups import Backups
from conductor.laptop.runtime import LocalRuntime, locked

HELD_UP = "fulfilment"
"""Stopped when the last orders came in, so that some that nobody will know of are charged and not shipped: they can be undone."""

GONE = 2
"""Every second customer of such an order never comes back for it."""


def play(session: LaptopSession, settings: Mapping[str, str] | None = None) -> None:
    """Back up, lose the disk, restore, reconcile; `settings` are environment variables of the reconciliation."""
    runtime = session.runtime
    if not isinstance(runtime, LocalRuntime):
        raise Refused("point-in-time-restore is played on a laptop")
    backups = Backups(runtime.platform.run)
    postgres = runtime.platform.postgres
    reconcile = partial(reconciling.reconcile, runtime, actor="drill", settings=settings)
    with session.load():
        session.await_loaded()
        base = backups.take(postgres)
        session.reporter.tell(
            f"base backup {base.name} under load; all backups are {backups.size_bytes() / 1e6:.1f} MB"
        )
        session.await_progress()
        session.await_loaded()
        mark = postgres.clock()
        session.reporter.tell(f"{mark:%H:%M:%S} is the time to go back to")
        # Placed, paid, shipped and delivered after that time, and in the archive.
        session.await_progress()
        session.expect(backups.close_segment(postgres), "the log was not archived in time")
        _lose_the_disk(session, runtime)
        _restore(session, runtime, mark)
        session.reporter.tell(f"to be settled: {reconcile().told['summary']}")
        told = reconcile(apply=True).told
        session.reporter.tell(f"settled: {told['summary']}")
        session.expect(
            bool(told["again"]["missing"]),
            "the archive knew of no order that the database does not: nothing was drilled",
        )
        with locked(runtime.platform.run):
            start.start_pools(runtime.platform, session.reporter.tell)
        _customers_look(session, runtime)
        session.reporter.tell(f"settled at last: {reconcile(apply=True, undo=True).told['summary']}")
        session.await_progress()


def _lose_the_disk(session: LaptopSession, runtime: LocalRuntime) -> None:
    archived = now()
    few = max(2, session.size.in_flight // 20)
    session.wait_for(lambda: len(_since(session, archived)) >= 2 * few, "orders that the archive knows nothing of")
    with evidence.ledgers(runtime) as ledgers:
        runtime.kill(HELD_UP, "tree", signal.SIGSTOP)
        try:
            session.wait_for(
                lambda: len(_charged_only(ledgers) & _since(session, archived)) >= few, "some of them to be charged"
            )
            data = runtime.platform.postgres.data
            lost = data.rename(data.with_name("postgres.lost"))
            os.kill(runtime.platform.supervisor.process("postgres").pid, signal.SIGKILL)
            shutil.rmtree(lost, ignore_errors=True)
        finally:
            runtime.kill(HELD_UP, "tree", signal.SIGCONT)
    session.reporter.tell(
        f"[red]the disk of the database is lost[/red], and {now() - archived:.1f} s of its log with it"
    )


def _restore(session: LaptopSession, runtime: LocalRuntime, mark: datetime) -> None:
    began = now()
    point = restore.restore(runtime.platform, mark, session.reporter.tell)
    session.journal.write(Restored(now(), point.to.timestamp()))
    session.reporter.tell(f"restored in {now() - began:.1f} s")


def _customers_look(session: LaptopSession, runtime: LocalRuntime) -> None:
    """Whoever has a receipt looks at their order, and places it again when there is none: the same request with the same key."""
    told = promises.read([session.journal.path])
    with OrdersApi.of(runtime) as api, evidence.ledgers(runtime) as ledgers:
        known = {order["order_id"] for order in insist(lambda: list(api.orders()))}
        missing = {a.order_id: a for a in told.accepted.values() if a.order_id not in known}
        gone = set(sorted(missing.keys() & _charged_only(ledgers))[::GONE])
        session.expect(bool(gone), "no order is charged, not shipped and unknown: nothing was drilled")
        returned = [a for i, a in missing.items() if i not in gone and a.key not in told.cancelled]
        session.reporter.tell(
            f"{len(missing)} customers miss their order; {len(returned)} place it again, {len(gone)} never come back"
        )
        for accepted in returned:
            receipt = place_again(api, told, accepted, session.size.seed)
            session.journal.write(Accepted(now(), accepted.key, receipt["order_id"], receipt["total_minor"], 1))


def _since(session: LaptopSession, moment: float) -> set[str]:
    """Orders that were accepted after this moment."""
    accepted = promises.read([session.journal.path]).accepted.values()
    return {one.order_id for one in accepted if one.at > moment}


def _charged_only(ledgers: LedgerTail) -> set[str]:
    """Orders that were charged, and whose parcel the carrier does not have."""
    ledgers.read("payments", "carrier")
    charged = {entry["order_id"] for entry in ledgers.entries["payments"] if entry["kind"] == "capture"}
    back = {entry["order_id"] for entry in ledgers.entries["payments"] if entry["kind"] == "refund"}
    shipped = {entry["order_id"] for entry in ledgers.entries["carrier"] if entry["kind"] == "handover"}
    return charged - back - shipped


DRILL = Drill(
    "point-in-time-restore",
    "loses the database's disk, and goes back to an earlier time",
    on_laptop=play,
    requests=1000,
)
