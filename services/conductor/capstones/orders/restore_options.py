"""What people type to restore and to reconcile, on a laptop and in a cluster."""

from datetime import datetime
from typing import Annotated

import typer

from conductor.errors import Refused

Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="From when on; ten minutes before the last restore's time when left out."),
]
Apply = Annotated[bool, typer.Option("--apply", help="Let the orders learn what the outside knows.")]
Undo = Annotated[
    bool, typer.Option("--undo", help="Refund and void what was done for orders that nobody placed again.")
]
Refund = Annotated[list[str] | None, typer.Option(metavar="ORDER", help="Refund this one although its parcel is gone.")]


def moment(text: str) -> datetime:
    """A time with its offset from UTC. Refused says what is wrong with any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f'"{text}" is no time such as 2026-03-01T12:00:00+00:00') from None
    if found.tzinfo is None:
        raise Refused(f'"{text}" does not say its offset from UTC, such as +00:00')
    return found
