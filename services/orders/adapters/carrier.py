"""The carrier, by HTTP. Every call may be repeated: the carrier tells a repeat by its key or its tracking number."""

from typing import Any
from urllib.parse import quote

from orders.adapters.answers import number_of_parcel
from orders.adapters.wire import Wire
from orders.ports import UnknownOutcome


class HttpCarrier:
    """`orders.ports.Carrier` over a wire to the carrier."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def create_shipment(self, key: str, *, order_id: str, address: dict[str, Any], weight_g: int) -> str:
        """Book a parcel; its tracking number. Raises Transient, UnknownOutcome, or Permanent when the carrier refuses it."""
        body = {"order_id": order_id, "address": address, "weight_g": weight_g}
        answer = self._wire.change("/shipments", answers=(200, 201), key=key, body=body)
        try:
            return number_of_parcel(answer.member("tracking_number"))
        except ValueError as error:
            raise UnknownOutcome(f"{answer.name} answered {answer.status}: {error}") from error

    def hand_over(self, tracking_number: str) -> None:
        """Give the parcel to the carrier. Raises Transient, UnknownOutcome, or Permanent for an unknown or voided parcel."""
        self._wire.change(f"/shipments/{quote(tracking_number, safe='')}/handover", answers=(200,))

    def void(self, tracking_number: str) -> bool:
        """Cancel the parcel; False when the carrier already has it. Raises Transient, UnknownOutcome, or Permanent."""
        answer = self._wire.change(f"/shipments/{quote(tracking_number, safe='')}/void", answers=(200, 409))
        return answer.status == 200
