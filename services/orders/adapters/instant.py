"""The outside in memory: the same rules as the real one, answered at once. For measuring what is ours, and as the
tests' fakes.

Each process has its own memory. A parcel's number is made from its key and can be checked, so a process takes what another one
booked; nothing is called back. Mails are written out in full before they are thrown away, since writing them is our work.
"""

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from chassis.errors import Permanent
from orders.ports import Charge, ChargeStatus, Mail

_SENDER = "orders@shop.example"


@dataclass(frozen=True, slots=True)
class _Parcel:
    body: tuple[Any, ...] | None = None
    """None when another process booked it."""
    state: str = "booked"


class InstantPayments:
    """`orders.ports.PaymentProvider`; declines `tok_declined` and what is no token, like the real one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._charges: dict[str, tuple[Charge, tuple[Any, ...] | None]] = {}

    def charge(self, key: str, *, order_id: str, amount_minor: int, currency: str, card: str) -> Charge:
        """Capture the amount once for this key. Raises Permanent when the key was used with another body."""
        if amount_minor <= 0:
            raise Permanent(f"amount_minor: needs to be above 0, got {amount_minor}")
        body = (order_id, amount_minor, currency, card)
        with self._lock:
            charge, earlier = self._charges.get(key, (None, None))
            if charge is not None:
                if earlier is not None and earlier != body:
                    raise Permanent(f"key {key!r} was used before with another body")
                return charge
            charge_id = f"ch_{len(self._charges)}"
            reason = _unfit(card)
            charge = Charge(ChargeStatus.CAPTURED if reason is None else ChargeStatus.DECLINED, charge_id, reason)
            self._charges[key] = charge, body
            return charge

    def find(self, key: str) -> Charge | None:
        """What happened to this key; None when it was never seen."""
        with self._lock:
            return self._charges.get(key, (None, None))[0]

    def reverse(self, key: str) -> Charge:
        """Refund a captured charge, or bar a key never seen."""
        with self._lock:
            charge, body = self._charges.get(key, (None, None))
            if charge is None:
                charge = Charge(ChargeStatus.VOIDED)
            elif charge.status is ChargeStatus.CAPTURED:
                charge = replace(charge, status=ChargeStatus.REFUNDED)
            self._charges[key] = charge, body
            return charge


class InstantCarrier:
    """`orders.ports.Carrier`; tells nobody about what it moves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parcels: dict[str, _Parcel] = {}

    def create_shipment(self, key: str, *, order_id: str, address: dict[str, Any], weight_g: int) -> str:
        """Book a parcel; its tracking number. Raises Permanent when refused, or the key was used with another body."""
        missing = [part for part in ("street", "city", "postcode", "country") if not address.get(part)]
        if missing or weight_g <= 0:
            raise Permanent(
                f"address without {missing}" if missing else f"weight_g: needs to be above 0, got {weight_g}"
            )
        body, number = (order_id, dict(address), weight_g), _number(key)
        with self._lock:
            parcel = self._parcels.setdefault(number, _Parcel(body))
        if parcel.body not in (body, None):
            raise Permanent(f"key {key!r} was used before with another body")
        return number

    def hand_over(self, tracking_number: str) -> None:
        """Give the parcel to the carrier. Raises Permanent for an unknown or voided parcel."""
        if not self._moved(tracking_number, "handed_over"):
            raise Permanent(f"parcel {tracking_number} was voided")

    def void(self, tracking_number: str) -> bool:
        """Cancel the parcel; False when the carrier already has it. Raises Permanent for an unknown one."""
        return self._moved(tracking_number, "voided")

    def _moved(self, tracking_number: str, state: str) -> bool:
        with self._lock:
            parcel = self._parcels.get(tracking_number, _Parcel())
            if parcel.body is None and not _issued(tracking_number):
                raise Permanent(f"no parcel {tracking_number}")
            if parcel.state == "booked":
                self._parcels[tracking_number] = replace(parcel, state=state)
            return parcel.state in ("booked", state)


class InstantMailer:
    """`orders.ports.Mailer`; keeps how often each Message-ID was sent, in `sent`."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self.sent: dict[str, int] = {}

    def send(self, mail: Mail) -> None:
        """Take the mail. Raises Permanent where no mail can go."""
        from orders.adapters.letters import letter  # loads the templates, which only who sends mails should pay

        letter(mail, sender=_SENDER, now=self._clock())
        if mail.to.casefold().endswith(".invalid"):
            raise Permanent(f"mail {mail.message_id} cannot be sent to {mail.to!r}")
        with self._lock:
            self.sent[mail.message_id] = self.sent.get(mail.message_id, 0) + 1


def _number(key: str) -> str:
    """A tracking number of 14 characters: 50 bits of the key's digest, and 10 that prove it is one of ours."""
    body = base64.b32encode(hashlib.sha256(key.encode()).digest())[:10].decode()
    return f"CP{body}{_check(body)}"


def _issued(number: str) -> bool:
    return len(number) == 14 and number.startswith("CP") and number[12:] == _check(number[2:12])


def _check(body: str) -> str:
    return base64.b32encode(hashlib.sha256(body.encode()).digest())[:2].decode()


def _unfit(card: str) -> str | None:
    if card == "tok_declined":
        return "card declined"
    return None if card.startswith("tok_") else "unknown card"
