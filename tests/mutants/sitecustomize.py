"""Breaks guards of the services on purpose, to prove that the drills notice. The services themselves have no such switches.

Python imports this module by itself when its folder stands first in PYTHONPATH; MUTANT names what to break, comma separated. A guard is
broken right after the module that holds it was imported.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

NEVER_SECONDS = "1000000000"


def idempotency_off_outbox(outbox: ModuleType) -> None:
    """A delivered message is work to be done, whatever was recorded of it before; and nobody's rows are locked."""
    import sqlalchemy as sa

    see = sa.text(
        "SELECT o.id, o.key, o.task, o.queue, o.body, o.headers, 1, o.failures, false FROM outbox o WHERE id = ANY(:ids)"
    )
    # The row goes with the outcome; a message alone would have held all this.
    met: dict[int, Any] = {}

    def start_fresh(conn: Any, ids: Sequence[int]) -> list[Any]:
        met.update((row.id, outbox.Work(*row)) for row in conn.execute(see, {"ids": list(ids)}))
        return [met[command_id] for command_id in dict.fromkeys(ids) if command_id in met]

    outbox.start_fresh, outbox.hold, outbox.suspects = start_fresh, lambda conn, ids: set(ids), lambda conn, ids: []


def idempotency_off_steps(steps: ModuleType) -> None:
    """A step is taken wherever the order's saga stands."""

    def perform(self: Any, store: Any, step: Any, works: Sequence[Any], act: Any) -> dict[int, Any]:
        by_order = {steps.order_of(work): work for work in works}
        ended, outcomes = self._act(list(store.orders(list(by_order)).values()), by_order, act)
        self._conclude(store, step, by_order, ended)
        return {work.id: outcomes.get(order_id, steps.Done()) for order_id, work in by_order.items()}

    steps.Steps.perform = perform


def idempotency_off_wire(wire: ModuleType) -> None:
    """Every call to the outside has a key of its own."""
    change = wire.Wire.change

    def with_random_key(self: Any, path: str, *, key: str | None = None, **options: Any) -> Any:
        return change(self, path, key=None if key is None else f"{key}:{os.urandom(4).hex()}", **options)

    wire.Wire.change = with_random_key


def early_ack(app: ModuleType) -> None:
    """Messages are acknowledged before the work, as Celery does unless told otherwise."""
    configuration = app._configuration

    def acknowledging(*arguments: Any) -> dict[str, Any]:
        return {**configuration(*arguments), "task_acks_late": False}

    app._configuration = acknowledging


def early_ack_unchecked(startup_checks: ModuleType) -> None:
    """And the worker that would refuse to start like that does not notice."""
    problems = startup_checks.problems

    def unnoticed(*arguments: Any) -> list[str]:
        return [sentence for sentence in problems(*arguments) if "acknowledge" not in sentence]

    startup_checks.problems = unnoticed


def outbox_bypassed(outbox: ModuleType) -> None:
    """Commands are published by whoever decided them, right after the commit; the relay is never told of them."""
    import sqlalchemy as sa

    put = outbox.put
    hide = sa.text("UPDATE outbox SET due_at = 'infinity', issued = 1 WHERE key = ANY(:keys) RETURNING id, task, queue")

    def put_and_publish(conn: Any, commands: Sequence[Any]) -> int:
        written: int = put(conn, commands)
        rows = conn.execute(hide, {"keys": [command.key for command in commands]}).all()

        def publish(_: Any) -> None:
            for row in rows:
                _application().send_task(row.task, kwargs={"v": 1, "ids": [row.id]}, routing_key=row.queue, retry=False)

        if rows:
            sa.event.listen(conn, "commit", publish, once=True)
        return written

    outbox.put = put_and_publish


def _application() -> Any:
    """The Celery app of the service that runs in this process."""
    services = [
        module for name, module in sys.modules.items() if name.endswith(".app") and hasattr(module, "make_relay")
    ]
    return services[0].app  # type: ignore[attr-defined]


def reconciliation_off(reconciliation: ModuleType) -> None:
    """The books of provider and carrier are not looked at: everything agrees."""
    reconciliation.Reconciliation.differences = lambda self, since: []


def gate_off(message_checks: ModuleType) -> None:
    """A worker reads whatever arrives as Celery does, without a look at it before."""
    message_checks.fault = lambda message, tasks: None


def part_ids_off(counter_store: ModuleType) -> None:
    """Whatever is delivered is counted: no part is known."""
    add = counter_store.RedisCounterStore.add

    def add_anything(self: Any, growth: Any) -> Any:
        growth.parts = [os.urandom(16)]
        return add(self, growth)

    counter_store.RedisCounterStore.add = add_anything


def ack_before_flush(batch_consumer: ModuleType) -> None:
    """A batch is acknowledged when it is delivered, and not when it is counted."""
    on_message = batch_consumer.BatchConsumer.on_message

    def acknowledging(self: Any, message: Any) -> None:
        message.ack()
        on_message(self, message)

    batch_consumer.BatchConsumer.on_message = acknowledging
    batch_consumer.acknowledge = lambda done, oldest_left: None


def answer_before_journal(writer: ModuleType) -> None:
    """Outcomes are said before their inputs are in the journal, which gets them by the thousand, and when nobody asks for anything."""
    commit, close_block = writer.Journal.commit, writer.Journal.close_block
    late: list[bytes] = []

    def write(journal: Any) -> None:
        if late:
            commit(journal, list(late))
            late.clear()

    def commit_later(self: Any, records: list[bytes]) -> int:
        late.extend(records)
        if len(late) > 1000:
            write(self)
        return int(self.next_sequence)

    def close_all(self: Any) -> None:
        write(self)
        close_block(self)

    writer.Journal.commit, writer.Journal.close_block = commit_later, close_all


def two_engines_owner(owner: ModuleType) -> None:
    """An engine that is silent is taken for dead, and left where it is."""
    replace = owner.Owner._replace

    def leave(self: Any, why: str) -> None:
        left = self._children.pop("engine", None)
        vars(self).setdefault("left", []).append(left)
        replace(self, why)

    owner.Owner._replace = leave


def two_engines_journal(writer: ModuleType) -> None:
    """Who writes a journal does not ask whether somebody else does."""
    writer._hold = lambda folder: os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)


def answer_before_sync(writer: ModuleType) -> None:
    """At level disk a journal says that all of it is on the disk, and no fdatasync was asked for."""

    def only_say(self: Any) -> None:
        self._synced[writer.SYNCED_AT // writer.SYNCED.size] = self._end if self._disk else 0

    writer.Journal.sync = only_say


def taken_when_full(reports: ModuleType) -> None:
    """An order that the journal had no room for is told to be taken."""
    message = reports.Reports.message

    def acknowledging(self: Any, outcome: Any, asked: Any) -> Any:
        if outcome[0] == reports.Between.JOURNAL_FULL:
            return reports.terms.EXECUTION, b"37=1\x0117=A1\x01150=0\x0139=0\x0111=%d\x01" % outcome[2]
        return message(self, outcome, asked)

    reports.Reports.message = acknowledging


def gaps_skipped(market_data: ModuleType) -> None:
    """A tick that comes early does not wait for those before it, and nobody asks for them."""
    take = market_data.FeedHandler.take

    def take_at_once(self: Any, tick: Any) -> Any:
        self.sequence = max(self.sequence, tick.sequence - 1)
        return take(self, tick)

    market_data.FeedHandler.take = take_at_once


Break = Callable[[ModuleType], None]

MUTANTS: dict[str, dict[str, Break]] = {
    "idempotency_off": {
        "chassis.outbox": idempotency_off_outbox,
        "orders.usecases.steps": idempotency_off_steps,
        "orders.adapters.wire": idempotency_off_wire,
    },
    "early_ack": {"chassis.app": early_ack, "chassis.startup_checks": early_ack_unchecked},
    "outbox_bypassed": {"chassis.outbox": outbox_bypassed},
    "reconciliation_off": {"orders.usecases.reconciliation": reconciliation_off},
    "gate_off": {"chassis.message_checks": gate_off},
    "sweeper_off": {},
    "part_ids_off": {"analytics.adapters.counter_store": part_ids_off},
    "ack_before_flush": {"chassis.batch_consumer": ack_before_flush},
    "answer_before_sync": {"trading.adapters.journal.writer": answer_before_sync},
    "taken_when_full": {"trading.adapters.fix.reports": taken_when_full},
    "gaps_skipped": {"trading.domain.market_data": gaps_skipped},
    "answer_before_journal": {"trading.adapters.journal.writer": answer_before_journal},
    "two_engines": {
        "trading.processes.owner": two_engines_owner,
        "trading.adapters.journal.writer": two_engines_journal,
    },
}


class Breaker(importlib.abc.MetaPathFinder):
    """Finds the modules to break where they are, and breaks them once they were executed."""

    def __init__(self, breaks: dict[str, list[Break]]) -> None:
        self._breaks = breaks

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self._breaks:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_break(module: ModuleType) -> None:
                execute(module)
                for change in self._breaks[name]:
                    change(module)

            spec.loader.exec_module = execute_and_break  # type: ignore[method-assign]
        return spec


def install(names: Sequence[str]) -> None:
    """Break what is named. Raises KeyError for a mutant that does not exist: a typing error must not look like a sound platform."""
    breaks: dict[str, list[Break]] = {}
    for name in names:
        for module, change in MUTANTS[name].items():
            breaks.setdefault(module, []).append(change)
    if "sweeper_off" in names:
        # A published command is never due again.
        os.environ["RELAY_LEASE_SECONDS"] = NEVER_SECONDS
    sys.meta_path.insert(0, Breaker(breaks))


if os.environ.get("MUTANT"):
    install(os.environ["MUTANT"].split(","))
