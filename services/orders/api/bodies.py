"""What may stand in a request's body; see chassis.http.bodies for how it is read."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from chassis.http.bodies import PRINTABLE, Body, Text, Whole, read
from orders.api.access import Known, Operator
from orders.domain.order import MAX_LINES, MAX_QUANTITY, MAX_TOTAL_MINOR

# What browsers accept in an e-mail field (WHATWG HTML, "valid e-mail address"), with a dot in the domain.
_EMAIL = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$"
)
SKU = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Sku = Annotated[str, StringConstraints(pattern=SKU)]
Amount = Annotated[Whole, Field(ge=1, le=MAX_TOTAL_MINOR)]


class LineBody(Body):
    """A line of an order."""

    sku: Sku
    quantity: Whole = Field(ge=1, le=MAX_QUANTITY, description="Pieces.")
    amount_minor: Amount | None = Field(
        None, description="Operators only: the line's price, instead of the catalogue's."
    )


class AddressBody(Body):
    """Where a parcel goes."""

    street: Text
    city: Text
    postcode: Annotated[str, StringConstraints(max_length=20, pattern=PRINTABLE)]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = Field(description="ISO 3166-1 alpha-2.")


class PlaceOrderBody(Body):
    """An order to be placed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "lines": [{"sku": "LAMP", "quantity": 2}],
                    "email": "ann@example.com",
                    "name": "Ann Example",
                    "address": {"street": "1 High Street", "city": "Leeds", "postcode": "LS1 4DY", "country": "GB"},
                    "card": "tok_ok",
                }
            ]
        }
    )

    lines: list[LineBody] = Field(min_length=1, max_length=MAX_LINES)
    email: Annotated[str, StringConstraints(max_length=254, pattern=_EMAIL)]
    name: Text
    address: AddressBody
    card: Annotated[str, StringConstraints(pattern=r"^tok_[A-Za-z0-9_]{1,100}$")] = Field(
        description="The payment provider's token for a card; never a card number."
    )
    customer: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = Field(
        None, description="Operators name the customer; everybody else orders for themselves."
    )


class RestockBody(Body):
    """Goods that came in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"add": 5}]})

    add: Whole = Field(ge=1, le=1_000_000_000, description="Pieces.")
    delivery_id: Annotated[str, StringConstraints(pattern=UUID)] | None = Field(
        None, description="Names the delivery, so that a repeated request adds it once."
    )


class ProductBody(Body):
    """A product of the catalogue."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Lamp", "price_minor": 1995, "currency": "EUR"}]}
    )

    name: Text
    price_minor: Whole = Field(ge=1, le=MAX_TOTAL_MINOR)
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(description="ISO 4217.")


def _as_text(value: Any) -> Any:
    # As the number is taken from the carrier's answer to a booking, so that both are the same (orders.adapters.answers).
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Number = Annotated[Text, BeforeValidator(_as_text)]


class CarrierEventBody(BaseModel):
    """An event of a parcel. Fields added by a newer carrier are ignored."""

    model_config = ConfigDict(strict=True)

    event_id: Text
    tracking_number: Number
    kind: Annotated[str, StringConstraints(pattern=r"^(in_transit|delivered)$")]
    at: float = Field(ge=0, le=253_402_300_799, allow_inf_nan=False, description="Unix seconds.")


BODIES: tuple[type[BaseModel], ...] = (CarrierEventBody, PlaceOrderBody, ProductBody, RestockBody)
"""For the OpenAPI document."""

B = TypeVar("B", bound=BaseModel)


def body_for_anyone(model: type[B]) -> Callable[..., Any]:
    """A dependency: the body, read once it is known who asks."""

    async def parsed(request: Request, _: Known) -> B:
        return await read(request, model)

    return parsed


def body_for_operators(model: type[B]) -> Callable[..., Any]:
    """A dependency: the body, read once it is known that an operator asks."""

    async def parsed(request: Request, _: Operator) -> B:
        return await read(request, model)

    return parsed
