"""The platform of the saga's laws in memory: the real use cases over a store and an outside in this process."""

from collections.abc import Callable
from datetime import UTC, datetime

from chassis.outbox import Command, Retry, Work
from fakes.orders_world import FaultyOutside, MemoryDatabase, MemoryMailLog, MemoryOrderStore
from fakes.saga_schedules import WANTED, Evidence, Platform
from orders.domain.order import Customer, Line, Order
from orders.domain.saga import Advance, Saga, Step, begin, deliver
from orders.ports import Change
from orders.queues import DRAW_LABEL, SEND_MAIL, task_of
from orders.usecases import follow
from orders.usecases.acts import acts
from orders.usecases.labels import Labels
from orders.usecases.mails import Mails
from orders.usecases.steps import Steps
from orders.usecases.upkeep import expire_reservations, reconcile

ORDER = "o-1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
STEP_OF = {task_of(step): step for step in Step}


class MemoryPlatform(Platform):
    """One order, its commands, and what the runner keeps of each by key."""

    def __init__(self, stock: int) -> None:
        self.stock = stock
        self.db = MemoryDatabase(free={"LAMP": stock})
        self.store = MemoryOrderStore(self.db)
        self.outside = FaultyOutside()
        self.steps = Steps(parallel=1, budget_seconds=60, attention_after_failures=2)
        self.acts = acts(self.outside, self.outside, self.outside)
        self.mails = Mails(self.outside, MemoryMailLog(self.db), domain="shop.example", budget_seconds=20)
        self.attempts: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self.begun: dict[str, bool] = {}
        self.finished: list[Command] = []
        customer = Customer("c-1", "a@shop.example", "A", {"street": "S"})
        first, line = begin(), Line("LAMP", WANTED, 250, 500)
        self.db.orders[ORDER] = Order(ORDER, customer, "tok", "EUR", 500, (line,), first.saga)
        self.store.put(follow.commands(ORDER, first, {}))

    @property
    def order(self) -> Order:
        return self.db.orders[ORDER]

    def perform(self, *, last: bool = False, dies: str = "") -> None:
        commands = list(self.db.commands.values())
        if commands:
            self._perform(commands[-1 if last else 0], dies)

    def _perform(self, command: Command, dies: str = "") -> None:
        key = command.key
        self.attempts[key] = self.attempts.get(key, 0) + 1
        if dies == "before":
            return
        begun = self.begun.get(key, command.begun) or self.attempts[key] > 1
        failures = self.failures.get(key, 0)
        work = Work(1, key, command.task, command.queue, command.body, {}, self.attempts[key], failures, begun)
        before = self.db.snapshot()
        outcome = self._run(command, work)[1]
        if dies:
            self.db.restore(before)
        elif isinstance(outcome, Retry):
            self.begun[key] = work.begun or outcome.begun
            self.attempts[key] = 0
            self.failures[key] = failures + 1
        else:
            self.attempts.pop(key)
            self.begun.pop(key, None)
            self.db.commands.pop(key, None)
            self.finished.append(command)

    def _run(self, command: Command, work: Work) -> dict[int, object]:
        if command.task == SEND_MAIL:
            return dict(self.mails.send(self.store, [work]))
        if command.task == DRAW_LABEL:
            return dict(Labels(self.outside).draw(self.store, [work]))
        step = STEP_OF[command.task]
        if step is Step.RESERVE_STOCK:
            return dict(self.steps.reserve(self.store, [work]))
        if step is Step.RELEASE_STOCK:
            return dict(self.steps.release(self.store, [work]))
        return dict(self.steps.perform(self.store, step, [work], self.acts[step]))

    def repeat(self) -> None:
        if self.finished:
            self._perform(self.finished[-1])

    def lose_row(self) -> None:
        key = f"{ORDER}/{self.order.saga.open}"
        for kept in (self.db.commands, self.attempts, self.begun):
            kept.pop(key, None)  # type: ignore[attr-defined]
        reconcile(self.store, NOW)

    def lose_message(self) -> None:
        """There is no broker to lose it."""

    def happen(self, kind: str, change: Callable[[Saga], Advance | None]) -> None:
        advance = change(self.order.saga)
        if advance is not None:
            self.store.save([Change(ORDER, advance.saga)])
            self.store.put(follow.commands(ORDER, advance, {}))
            self.store.note([follow.event(ORDER, kind, advance.saga)])

    def expire(self) -> None:
        expire_reservations(self.store, NOW)

    def drain(self) -> None:
        for _ in range(60):
            if self.db.commands:
                self.perform()
            elif self.order.saga.state == "shipped":
                self.happen("carrier.delivered", deliver)
        assert not self.db.commands

    def evidence(self) -> Evidence:
        return Evidence(
            saga=self.order.saga,
            needs_attention=self.order.needs_attention,
            effects=[kind for kind, _ in self.outside.ledger],
            parcel=self.outside.parcels.get(f"T{ORDER}"),
            stock_before=self.stock,
            free=self.db.free["LAMP"],
            held=len(self.db.held),
            moved=[kind for kind, _ in self.db.moved],
            passed=frozenset(str(e.detail["state"]) for e in self.db.timeline),
            told=frozenset(e.kind for e in self.db.timeline),
            mailed=frozenset(kind for _, kind in self.db.mails),
        )
