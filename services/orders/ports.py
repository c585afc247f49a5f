"""What the use cases ask of the outside world, as protocols; the real adapters and the tests' fakes both pass tests/contract.

Every call that has an effect carries a key that is the same on every attempt, so the outside can tell a repeat from a new request.
A call ends in one of three ways: it returns what happened; it raises `Transient` when it certainly had no effect and may be tried
again; it raises `UnknownOutcome` when nobody can tell (time-out, broken connection, 5xx), and the outside must be asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from chassis.errors import Transient
from chassis.outbox import Command
from orders.domain.order import Order, Product
from orders.domain.saga import Parcel, Saga
from orders.domain.views import Entry, KeyUse, Level, OrderSummary, OrderView


class UnknownOutcome(Transient):
    """The request may or may not have had its effect; ask by key before deciding anything."""


class ChargeStatus(StrEnum):
    """What the payment provider knows about a key."""

    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Charge:
    """The provider's answer about one key."""

    status: ChargeStatus
    charge_id: str | None = None
    reason: str | None = None


class PaymentProvider(Protocol):
    """Takes and gives back money; idempotent by `key`."""

    def charge(self, key: str, *, order_id: str, amount_minor: int, currency: str, card: str) -> Charge:
        """Capture the amount once for this key. Raises Transient or UnknownOutcome."""

    def find(self, key: str) -> Charge | None:
        """What happened to this key; None when the provider never saw it. Raises Transient."""

    def reverse(self, key: str) -> Charge:
        """Refund a captured charge, or bar a key never seen, so that a late charge is refused. Raises Transient or UnknownOutcome."""


class Carrier(Protocol):
    """Moves parcels; idempotent by `key`."""

    def create_shipment(self, key: str, *, order_id: str, address: dict[str, Any], weight_g: int) -> str:
        """Book a parcel; the tracking number. Raises Transient or UnknownOutcome (safe to repeat with the key), Permanent when refused."""

    def hand_over(self, tracking_number: str) -> None:
        """Give the parcel to the carrier; idempotent. Raises Transient or UnknownOutcome."""

    def void(self, tracking_number: str) -> bool:
        """Cancel the parcel; False when the carrier already has it. Idempotent. Raises Transient or UnknownOutcome."""


@dataclass(frozen=True, slots=True)
class ChargeRecord:
    """A charge as the provider has it on record; a key that was barred unseen has no order and no amount."""

    key: str
    status: ChargeStatus
    order_id: str | None
    amount_minor: int | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class ParcelRecord:
    """A parcel as the carrier has it on record; it is never `Parcel.NONE`."""

    tracking_number: str
    order_id: str
    state: Parcel
    delivered: bool


class Records(Protocol):
    """The books of provider and carrier, whoever wrote in them: for a reconciliation, never for an order's way."""

    def charges(self, since: datetime) -> Iterator[ChargeRecord]:
        """Charges that were made or changed at this moment or later, as they stand now. Raises Transient."""

    def parcels(self, since: datetime) -> Iterator[ParcelRecord]:
        """The parcels of orders for which anything happened at this moment or later, as they stand now. Raises Transient."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to a customer; `message_id` is the same on every attempt."""

    message_id: str
    order_id: str
    kind: str
    to: str
    name: str
    detail: dict[str, Any]


class Mailer(Protocol):
    """Hands mails to a mail server."""

    def send(self, mail: Mail) -> None:
        """Return once the server has taken it.

        Raises Transient (not taken), UnknownOutcome (connection lost after the data) or Permanent (refused for good).
        """


class LabelPrinter(Protocol):
    """Draws shipping labels."""

    def label(self, *, order_id: str, tracking_number: str, name: str, address: dict[str, Any]) -> bytes:
        """A PDF of one page with the address and the tracking number as a barcode."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an order's timeline: what happened, in words of the domain; never personal data."""

    order_id: str
    kind: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written back of one order. None clears `needs_attention`; a tracking number is only ever added."""

    order_id: str
    saga: Saga
    tracking_number: str | None = None
    needs_attention: str | None = None
    went_wrong: bool = False
    """A step failed or was slow, so that spans of the order are recorded from here on, although its trace is not; it stays so."""


class OrderStore(Protocol):
    """The orders inside one database transaction; everything it writes becomes true together, or not at all."""

    def orders(self, ids: Sequence[str]) -> dict[str, Order]:
        """These orders with their lines, unlocked; an unknown id is missing from the answer."""

    def lock(self, ids: Sequence[str]) -> dict[str, Saga]:
        """Their sagas as they are now, locked in id order until the transaction ends."""

    def save(self, changes: Sequence[Change]) -> None:
        """Write sagas back; `needs_attention` as given (None clears it), a tracking number only when there is one."""

    def put(self, commands: Sequence[Command]) -> None:
        """Commands that must now run."""

    def note(self, events: Sequence[Event]) -> None:
        """Append to the timelines, in the order given."""

    def reserve(self, pieces: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
        """Hold pieces by order and SKU, all of an order's or none; the orders that could not be served, with the reason."""

    def release(self, order_ids: Sequence[str]) -> None:
        """Free what these orders hold; once, however often it is asked."""

    def ship(self, order_ids: Sequence[str]) -> None:
        """Take what these orders hold out of the stock; once, however often it is asked."""

    def keep_labels(self, labels: Mapping[str, tuple[str, bytes]]) -> None:
        """Store tracking number and PDF by order; the first one stays."""

    def mailed(self, wanted: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (order, kind) mails were sent already."""


class MailLog(Protocol):
    """Remembers a sent mail at once, outside any other transaction, so that a death repeats as few mails as can be."""

    def recording(self, mail: Mail) -> AbstractContextManager[None]:
        """A block that hands this mail in: its end commits that the server took it, an error inside it leaves no record.

        Raises before the block what keeps a record from being written, while nothing was sent yet.
        """


class StoreUnavailable(Transient):
    """The database cannot be reached or did not answer in time. What was asked may have been done: ask again with the same key."""


class IntakeTransaction(OrderStore, Protocol):
    """What comes in from outside, inside one database transaction."""

    def claim(self, scope: str, key: str, digest: str, order_id: str) -> KeyUse | None:
        """Take the key for this order; None when it is ours. Else what it was used for: a race is decided by the first commit."""

    def open_orders(self, customer: str, at_most: int) -> int:
        """How many orders of this customer are not final, counted up to `at_most`."""

    def backlog(self, at_most: int) -> int:
        """How many commands are open, counted up to `at_most`."""

    def catalogue(self, skus: Sequence[str]) -> dict[str, Product]:
        """The products among these SKUs."""

    def add(self, order: Order, reservation_seconds: float) -> bool:
        """A new order with its lines; goods are held for it this long from now. False when there is an order with this id."""

    def remember_mails(self, order_id: str, mails: Sequence[tuple[str, str]]) -> None:
        """Note mails, by kind and id, that were sent before the database was restored: they are not sent again."""

    def remember_callback(self, event_id: str, tracking_number: str, kind: str, at: datetime) -> bool:
        """Note a carrier's event; False when it was noted before."""

    def now(self) -> datetime:
        """The time by the database's clock: the one clock that decides what is late, old or too early."""

    def went_wrong(self, order_id: str) -> bool:
        """Whether a change of the order said so, or its open step was tried in vain."""

    def order_of_parcel(self, tracking_number: str) -> str | None:
        """The order this parcel belongs to."""

    def put_product(self, product: Product) -> bool:
        """Add or change a product, and give a new one an empty stock; True when it is new."""

    def restock(self, sku: str, pieces: int, delivery_id: str | None) -> bool:
        """Add pieces; a delivery named by `delivery_id` counts once. False when there is no such product."""


class Views(Protocol):
    """What may be read, each answer from one snapshot."""

    def order(self, order_id: str) -> OrderView | None:
        """One order; None when there is none."""

    def owner(self, order_id: str) -> str | None:
        """The customer of an order; None when there is no such order."""

    def orders(self, *, customer: str | None, state: str | None, after: str | None, limit: int) -> list[OrderSummary]:
        """Newest first, those behind the order `after`; of all customers when `customer` is None."""

    def timeline(self, order_id: str, *, after: int, limit: int) -> tuple[str, list[Entry]]:
        """The order's state and its events with an id above `after`, oldest first. Raises LookupError when there is no such order."""

    def label(self, order_id: str) -> bytes | None:
        """The shipping label as a PDF, once there is one."""

    def stock(self, *, sku: str | None = None, after: str = "", limit: int = 100) -> list[Level]:
        """Levels by SKU: the one, or those behind `after`."""


class IntakeStore(Protocol):
    """Opens transactions. Everything in it raises StoreUnavailable when the database cannot be reached or does not answer in time."""

    def begin(self) -> AbstractContextManager[IntakeTransaction]:
        """A transaction that is committed at the end of the block, and undone when the block raises."""

    def read(self) -> AbstractContextManager[Views]:
        """Reads only."""

    def ping(self) -> None:
        """Return when the database answers."""


class Archive(Protocol):
    """What is kept for a while only. Every call deletes at most `limit` rows in a transaction of its own and says how many."""

    def now(self) -> datetime:
        """The time by the clock that wrote what is pruned."""

    def prune_keys(self, before: datetime, limit: int) -> int:
        """Idempotency keys used before this moment."""

    def prune_callbacks(self, before: datetime, limit: int) -> int:
        """Carrier events received before this moment."""

    def prune_timelines(self, before: datetime, limit: int) -> int:
        """Timeline lines, and with them labels, of orders that ended before this moment."""

    def prune_parked(self, before: datetime, limit: int) -> int:
        """Parked records replayed or dropped before this moment, with their audit trail."""
