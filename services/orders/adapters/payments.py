"""The payment provider, by HTTP. Every call may be repeated: the provider tells a repeat by its key."""

from urllib.parse import quote

import httpx

from orders.adapters.wire import Wire
from orders.ports import Charge, ChargeStatus, UnknownOutcome


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
        return None if answer.status_code == 404 else self._charge(answer)

    def reverse(self, key: str) -> Charge:
        """Refund a captured charge, or bar a key never seen. Raises Transient or UnknownOutcome."""
        return self._charge(self._wire.change(f"/charges/{_quoted(key)}/reverse", answers=(200,)))

    def _charge(self, answer: httpx.Response) -> Charge:
        word = self._wire.member(answer, "status")
        try:
            status = ChargeStatus(word)
        except ValueError as error:
            raise UnknownOutcome(f"the provider calls a charge {word!r}, which means nothing here") from error
        fields = answer.json()
        return Charge(status, fields.get("charge_id"), fields.get("reason"))


def _quoted(key: str) -> str:
    return quote(key, safe=":")
