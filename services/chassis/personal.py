"""Takes personal data out of what is written for people to read: logs, spans, errors that are kept.

By the name of a field (PERSONAL), and by value: mail addresses wherever they stand, and every value that the work under way has said
belongs to a person (`hold`). The second is needed because the outside repeats what it was told: a mail server's reply names the mailbox, a
provider's error the card. A scope is one request or one command; what it holds is forgotten with it.
"""

import contextvars
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
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


class _Scope:
    """What one scope holds, and the scope around it. Values are only looked at when something is written."""

    __slots__ = ("given", "outer", "values")

    def __init__(self, given: Callable[[], Iterable[str]] | None) -> None:
        self.given = given
        self.values: set[str] = set()
        self.outer = _scope.get()

    def held(self) -> set[str]:
        if self.given is not None:
            self.values.update(self.given())
            self.given = None
        found = {value.strip() for value in self.values if len(value.strip()) >= SHORTEST}
        return found if self.outer is None else found | self.outer.held()


LONGEST = 64 * 1024
"""Characters of a text that are looked at, half of them at its beginning and half at its end: ten million would take five seconds, and
nobody keeps as many as these."""

MARGIN = 512
"""Characters beside a cut that are left out, because what the cut divides would not be found."""


_scope: contextvars.ContextVar[_Scope | None] = contextvars.ContextVar("_scope", default=None)

Token = contextvars.Token[_Scope | None]


def enter(given: Callable[[], Iterable[str]] | None = None) -> Token:
    """Begin a scope in which these values, and those that are held later, are taken out; what a scope around it holds as well."""
    return _scope.set(_Scope(given))


def leave(token: Token) -> None:
    """End the scope, in the thread that began it."""
    _scope.reset(token)


@contextmanager
def scope(given: Callable[[], Iterable[str]] | None = None) -> Iterator[None]:
    """A scope around a block."""
    token = enter(given)
    try:
        yield
    finally:
        leave(token)


def hold(values: Iterable[str]) -> None:
    """Take these out until the scope ends; without a scope nothing happens."""
    if (inner := _scope.get()) is not None:
        inner.values.update(values)


def scrub(text: str) -> str:
    """The text without mail addresses and without what is held; without its middle where it is very long."""
    if len(text) <= LONGEST:
        return _scrub(text)
    half = LONGEST // 2
    begins, ends = _scrub(text[:half])[:-MARGIN], _scrub(text[-half:])[MARGIN:]
    return f"{begins} … ({len(text)} characters) … {ends}"


def _scrub(text: str) -> str:
    if "@" in text:
        text = _MAIL.sub(HIDDEN, text)
    if (inner := _scope.get()) is not None:
        # The longest first: a name may be part of an address.
        for value in sorted((value for value in inner.held() if value in text), key=len, reverse=True):
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
