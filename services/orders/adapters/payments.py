"""The payment provider, by HTTP. Every call may be repeated: the provider tells a repeat by its key."""

from urllib.parse import quote

from orders.adapters.answers import Answer, described
from orders.adapters.wire import Wire
from orders.ports import Charge, ChargeStatus

# What these answers to a charge say by themselves; a body that says something else cannot be believed either.
_MEANS = {402: ChargeStatus.DECLINED, 409: ChargeStatus.VOIDED}


class HttpPayments:
    """`orders.ports.PaymentProvider` over a wire to the provider."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def charge(self, key: str, *, order_id: str, amount_minor: int, currency: str, card: str) -> Charge:
        """Capture the amount once for this key; declined and voided are answers, not errors.

        Raises Transient, UnknownOutcome, or Permanent when the key was used with another body or a value is refused.
        """
        body = {"order_id": order_id, "amount_minor": amount_minor, "currency": currency, "card": card}
        return self._charge(self._wire.change("/charges", answers=(200, 201, 402, 409), key=key, body=body))

    def find(self, key: str) -> Charge | None:
        """What happened to this key; None when the provider never saw it. Raises Transient."""
        answer = self._wire.read(f"/charges/{_quoted(key)}", answers=(200, 404))
        return None if answer.status == 404 else self._charge(answer)

    def reverse(self, key: str) -> Charge:
        """Refund a captured charge, or bar a key never seen. Raises Transient or UnknownOutcome."""
        answer = self._wire.change(f"/charges/{_quoted(key)}/reverse", answers=(200,))
        charge = self._charge(answer)
        if charge.status is ChargeStatus.CAPTURED:
            # Taken for "there was nothing to refund", it would keep the customer's money.
            raise answer.unreadable("to a reversal, which leaves the charge captured")
        return charge

    def _charge(self, answer: Answer) -> Charge:
        word = answer.member("status")
        # A dict or a list can be no member of an enumeration, nor be looked for in one.
        status = ChargeStatus(word) if isinstance(word, str) and word in set(ChargeStatus) else None
        if status is None or _MEANS.get(answer.status, status) is not status:
            raise answer.unreadable(f"with the status {described(word)!r}")
        return Charge(status, answer.note("charge_id"), answer.note("reason"))


def _quoted(key: str) -> str:
    return quote(key, safe=":")
