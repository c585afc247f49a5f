"""The saga as JSON, as it stands in PostgreSQL. A field that a newer version adds reads as its default; one that it dropped is ignored."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from orders.domain.saga import Parcel, Payment, Saga, State, Step, Stock, Stop

_READ = {
    "state": State,
    "stock": Stock,
    "payment": Payment,
    "parcel": Parcel,
    "delivered": bool,
    "open": Step,
    "stop": Stop,
    "reason": str,
}


def dump(saga: Saga) -> dict[str, Any]:
    """A JSON object; facts at their default are left out."""
    blank = Saga()
    return {f.name: value for f in fields(Saga) if (value := getattr(saga, f.name)) != getattr(blank, f.name)}


def load(found: Mapping[str, Any]) -> Saga:
    """The saga of a JSON object. Raises ValueError for a value no version knows."""
    return Saga(**{name: read(found[name]) for name, read in _READ.items() if found.get(name) is not None})
