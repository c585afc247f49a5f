"""Takes personal data out of what is written for people to read: logs, spans, errors that are kept.

By the name of a field (PERSONAL), and by value: mail addresses wherever they stand, and every value that the work under way has said
belongs to a person (`hold`). The second is needed because the outside repeats what it was told: a mail server's reply names the mailbox, a
provider's error the card. A scope is one request or one command; what it holds is forgotten with it.
"""

import contextvars
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

PERSONAL = frozenset(
    {"email", "name", "address", "street", "city", "postcode", "card", "phone", "customer", "token", "password"}
)
"""Fields that are never written; the logger's and the pool's own names have other fields."""

HIDDEN = "[removed]"

SHORTEST = 3
"""Shorter values are no secret ("GB"), and would be found everywhere."""

# Not RFC 5322: whatever looks like an address to a reader. Bounded, so that no text makes it slow.
_MAIL = re.compile(r"[^\s<>()\[\]\"',;:@\\]{1,64}@[^\s<>()\[\]\"',;:@\\]{1,255}")

_held: contextvars.ContextVar[set[str] | None] = contextvars.ContextVar("_held", default=None)


@contextmanager
def scope(values: Iterable[str] = ()) -> Iterator[None]:
    """A scope inside which these values, and those that are held later, are taken out; what an outer scope holds as well."""
    outer = _held.get()
    token = _held.set({*(outer or ()), *_long_enough(values)})
    try:
        yield
    finally:
        _held.reset(token)


def hold(values: Iterable[str]) -> None:
    """Take these out until the scope ends; without a scope nothing happens."""
    held = _held.get()
    if held is not None:
        held.update(_long_enough(values))


def _long_enough(values: Iterable[str]) -> Iterator[str]:
    return (value.strip() for value in values if len(value.strip()) >= SHORTEST)


def scrub(text: str) -> str:
    """The text without mail addresses and without what is held."""
    if "@" in text:
        text = _MAIL.sub(HIDDEN, text)
    held = _held.get()
    if held:
        # The longest first: a name may be part of an address.
        for value in sorted((value for value in held if value in text), key=len, reverse=True):
            text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", HIDDEN, text)
    return text


def cleaned(value: Any) -> Any:
    """A copy without personal data, at every depth: by field and by value."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {field: HIDDEN if field in PERSONAL else cleaned(inner) for field, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [cleaned(inner) for inner in value]
    if isinstance(value, bool | int | float | None):
        return value
    return scrub(str(value))
