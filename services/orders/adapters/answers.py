"""What the outside answered, read so that every part of it can be stored, mailed and printed. Pure.

The other side may say anything: text that PostgreSQL refuses (U+0000, half of a surrogate pair), a value of another type, no JSON at all.
What only describes (a reason, an id that we never use) is made fit and kept. What decides, or is used again (a status, a tracking
number), is taken exactly or not at all: then the outcome is unknown, and the outside is asked again.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from orders.ports import UnknownOutcome

# As much of the outside's words as an error's message, a timeline and a mail show.
SHOWN_CHARACTERS = 200
# Longer than any carrier's number, and no longer than the API takes one in a callback.
LONGEST_NUMBER = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_HALF_OF_A_PAIR = re.compile(r"[\ud800-\udfff]")
# As the API takes it in a callback: printable, not blank. U+FFFD stands for bytes that could not be read.
_NUMBER = re.compile(r"[^\x00-\x20\x7f-\x9f\ud800-\udfff\ufffd][^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the outside system `name`; `cut` when its body was longer than we read."""

    name: str
    status: int
    body: bytes
    cut: bool = False

    def member(self, name: str) -> Any:
        """A member of the JSON object, of any type. Raises UnknownOutcome when there is no such thing."""
        try:
            return self._object()[name]
        except (ValueError, KeyError) as error:
            raise self.unreadable(f"without {name!r}") from error

    def note(self, name: str) -> str | None:
        """A member that only describes, as text that can be stored; None when there is none. Raises UnknownOutcome without an object."""
        try:
            value = self._object().get(name)
        except ValueError as error:
            raise self.unreadable("without an object") from error
        return None if value is None else described(value)

    def says(self) -> str:
        """What the answer tells about a failure: the `detail` of a problem (RFC 9457), or the body as it is; shortened."""
        try:
            return described(self._object()["detail"])
        except (ValueError, KeyError):
            return storable(self.body[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace"))

    def unreadable(self, how: str) -> UnknownOutcome:
        """The error for an answer that does not say what it has to."""
        return UnknownOutcome(f"{self.name} answered {self.status} {how}: {self.says()!r}")

    def _object(self) -> dict[str, Any]:
        if self.cut:
            raise ValueError(f"longer than {len(self.body)} bytes")
        found = _json(self.body)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return found


def storable(text: str) -> str:
    """The text without what PostgreSQL, JSON or a mail refuses, on one line, shortened."""
    shown = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return _HALF_OF_A_PAIR.sub("\ufffd", _CONTROL.sub(" ", shown)).strip()


def described(value: Any) -> str:
    """Any JSON value as text that can be stored."""
    if isinstance(value, dict | list):
        return f"({type(value).__name__} of {len(value)})"
    return storable(value if isinstance(value, str) else str(value))


def number_of_parcel(value: Any) -> str:
    """A tracking number, exactly as the carrier gave it. Raises ValueError for what cannot be kept, or compared with a callback."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise ValueError(f"a tracking number has 1 to {LONGEST_NUMBER} printable characters, got {described(value)!r}")
    return text


def _json(body: bytes) -> Any:
    # Bytes that are no text of their encoding are in a member's value: the others can still be read.
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
