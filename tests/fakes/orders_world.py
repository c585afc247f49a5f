"""The orders' ports in memory: a store with transactions, and an outside that does what it is told to get wrong.

Small on purpose: the laws of the saga are tested on the real use cases over these.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from chassis.errors import Transient
from chassis.outbox import Command
from orders.domain.errors import StockExhausted
from orders.domain.order import Order
from orders.domain.saga import Saga
from orders.ports import Change, Charge, ChargeStatus, Event, Mail, UnknownOutcome

# When nothing else is said, every reservation ran out and every order was left alone.
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Fault(StrEnum):
    """What the outside does to the next call."""

    NONE = "none"
    BEFORE = "fails before the effect"
    LOST_BEFORE = "no answer, no effect yet"
    LOST_AFTER = "no answer, but the effect"
    REFUSE = "says no"


def nothing() -> None:
    """Happens when nothing does."""


class FaultyOutside:
    """Payment provider, carrier, mail server and label printer with a ledger; `fault` applies to the next call, then it is spent."""

    def __init__(self) -> None:
        self.fault = Fault.NONE
        self.meanwhile: Callable[[], None] = nothing
        """What happens while the next call is under way; then it is spent."""
        self.charges: dict[str, Charge] = {}
        self.parcels: dict[str, str] = {}
        self.mails: list[tuple[str, str]] = []
        self.ledger: list[tuple[str, str]] = []
        # Requests that timed out on their way and may still arrive.
        self.late: list[Any] = []

    def _meet(self, effect: Any, refuse: Any = None) -> Any:
        fault, self.fault = self.fault, Fault.NONE
        meanwhile, self.meanwhile = self.meanwhile, nothing
        meanwhile()
        if fault is Fault.BEFORE:
            raise Transient("refused the connection")
        if fault is Fault.LOST_BEFORE:
            self.late.append(effect)
            raise UnknownOutcome("timed out")
        if fault is Fault.REFUSE and refuse is not None:
            return refuse()
        answer = effect()
        if fault is Fault.LOST_AFTER:
            raise UnknownOutcome("timed out")
        return answer

    def arrive(self) -> None:
        """What was under way reaches its end."""
        while self.late:
            self.late.pop()()

    def charge(self, key: str, *, order_id: str, amount_minor: int, currency: str, card: str) -> Charge:
        def capture(status: ChargeStatus = ChargeStatus.CAPTURED) -> Charge:
            if key not in self.charges:
                self.charges[key] = Charge(status, charge_id=f"ch-{key}")
                if status is ChargeStatus.CAPTURED:
                    self.ledger.append(("capture", order_id))
            return self.charges[key]

        return self._meet(capture, lambda: capture(ChargeStatus.DECLINED))

    def find(self, key: str) -> Charge | None:
        return self._meet(lambda: self.charges.get(key))

    def reverse(self, key: str) -> Charge:
        def back() -> Charge:
            found = self.charges.get(key)
            if found is None:
                self.charges[key] = Charge(ChargeStatus.VOIDED)
            elif found.status is ChargeStatus.CAPTURED:
                self.charges[key] = replace(found, status=ChargeStatus.REFUNDED)
                self.ledger.append(("refund", key.split(":")[0]))
            return self.charges[key]

        return self._meet(back)

    def create_shipment(self, key: str, *, order_id: str, address: dict[str, Any], weight_g: int) -> str:
        def book() -> str:
            if f"T{order_id}" not in self.parcels:
                self.parcels[f"T{order_id}"] = "booked"
                self.ledger.append(("shipment", order_id))
            return f"T{order_id}"

        return self._meet(book)

    def hand_over(self, tracking_number: str) -> None:
        def take() -> None:
            if self.parcels[tracking_number] == "booked":
                self.parcels[tracking_number] = "taken"
                self.ledger.append(("handover", tracking_number[1:]))

        self._meet(take)

    def void(self, tracking_number: str) -> bool:
        def cancel() -> bool:
            if self.parcels[tracking_number] == "booked":
                self.parcels[tracking_number] = "void"
            return self.parcels[tracking_number] == "void"

        return bool(self._meet(cancel))

    def send(self, mail: Mail) -> None:
        self._meet(lambda: self.mails.append((mail.order_id, mail.kind)))

    def label(self, *, order_id: str, tracking_number: str, name: str, address: dict[str, Any]) -> bytes:
        return b"%PDF-" + tracking_number.encode()


@dataclass
class MemoryDatabase:
    """Everything a transaction may change; `snapshot` and `restore` are its begin and rollback."""

    orders: dict[str, Order] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    held: dict[str, dict[str, int]] = field(default_factory=dict)
    moved: list[tuple[str, str]] = field(default_factory=list)
    commands: dict[str, Command] = field(default_factory=dict)
    parked: dict[str, str] = field(default_factory=dict)
    """By key of a command that was put aside: the reason."""
    labels: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    timeline: list[Event] = field(default_factory=list)
    mails: set[tuple[str, str]] = field(default_factory=set)
    reserve_until: dict[str, datetime] = field(default_factory=dict)
    updated_at: dict[str, datetime] = field(default_factory=dict)

    def snapshot(self) -> dict[str, Any]:
        # What is inside the collections never changes, so a copy of each is enough.
        return {k: copy.copy(v) for k, v in vars(self).items() if k != "mails"}

    def restore(self, before: dict[str, Any]) -> None:
        vars(self).update(before)


class MemoryOrderStore:
    """orders.ports.OrderStore over a MemoryDatabase."""

    def __init__(self, db: MemoryDatabase) -> None:
        self._db = db

    def orders(self, ids: Sequence[str]) -> dict[str, Order]:
        return {i: self._db.orders[i] for i in ids if i in self._db.orders}

    def lock(self, ids: Sequence[str]) -> dict[str, Saga]:
        return {i: self._db.orders[i].saga for i in sorted(ids) if i in self._db.orders}

    def save(self, changes: Sequence[Change]) -> None:
        for change in changes:
            before = self._db.orders[change.order_id]
            self._db.orders[change.order_id] = replace(
                before,
                saga=change.saga,
                tracking_number=change.tracking_number or before.tracking_number,
                needs_attention=change.needs_attention,
            )

    def put(self, commands: Sequence[Command]) -> None:
        for command in commands:
            self._db.commands.setdefault(command.key, command)

    def note(self, events: Sequence[Event]) -> None:
        self._db.timeline += events

    def reserve(self, pieces: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
        refused = {}
        for order_id, wanted in pieces.items():
            short = next((sku for sku, n in wanted.items() if self._db.free.get(sku, 0) < n), None)
            if short is not None:
                refused[order_id] = str(StockExhausted(short, self._db.free.get(short, 0), wanted[short]))
                continue
            for sku, n in wanted.items():
                self._db.free[sku] -= n
            self._db.held[order_id] = dict(wanted)
            self._db.moved.append(("reserve", order_id))
        return refused

    def release(self, order_ids: Sequence[str]) -> None:
        for order_id in order_ids:
            held = self._let_go("release", order_id)
            for sku, n in held.items():
                self._db.free[sku] += n

    def ship(self, order_ids: Sequence[str]) -> None:
        for order_id in order_ids:
            self._let_go("ship", order_id)

    def _let_go(self, kind: str, order_id: str) -> Mapping[str, int]:
        held = self._db.held.pop(order_id, {})
        if held:
            self._db.moved.append((kind, order_id))
        return held

    def keep_labels(self, labels: Mapping[str, tuple[str, bytes]]) -> None:
        for order_id, label in labels.items():
            self._db.labels.setdefault(order_id, label)

    def mailed(self, wanted: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        return {w for w in wanted if w in self._db.mails}

    def expired(self, now: datetime, limit: int) -> dict[str, Saga]:
        until = self._db.reserve_until
        overdue = {
            i: o.saga
            for i, o in self._db.orders.items()
            if o.saga.stop is None and o.saga.state in ("pending", "processing") and until.get(i, LONG_AGO) < now
        }
        return {i: overdue[i] for i in sorted(overdue, key=lambda i: until.get(i, LONG_AGO))[:limit]}

    def stranded(self, before: datetime, limit: int) -> dict[str, Saga]:
        sagas = {i: o.saga for i, o in sorted(self._db.orders.items()) if o.saga.open}
        found = [
            i
            for i, s in sagas.items()
            if f"{i}/{s.open}" not in self._db.commands and self._db.updated_at.get(i, LONG_AGO) < before
        ]
        return {i: sagas[i] for i in found[:limit]}

    def unnoticed(self, limit: int) -> dict[str, tuple[Saga, str]]:
        parked = {
            str(c.body["order"]): (c.task, self._db.parked[k])
            for k, c in self._db.commands.items()
            if k in self._db.parked
        }
        orders = {i: self._db.orders[i] for i in sorted(parked) if self._db.orders[i].needs_attention is None}
        found = {i: (o.saga, f"{parked[i][0]} was parked as {parked[i][1]}") for i, o in orders.items()}
        return dict(list(found.items())[:limit])


class MemoryMailLog:
    """orders.ports.MailLog; survives a rollback, like the real one."""

    def __init__(self, db: MemoryDatabase) -> None:
        self._db = db

    @contextmanager
    def recording(self, mail: Mail) -> Iterator[None]:
        yield
        self._db.mails.add((mail.order_id, mail.kind))
