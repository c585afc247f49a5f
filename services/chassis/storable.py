"""A message in the form in which PostgreSQL can keep it: as JSON where that gives back the same, else raw. Pure.

`jsonb` and `text` take no NUL character and no lone surrogate, `jsonb` no NaN and no infinity, and neither takes everything that a broker
may deliver (bytes, times, another key than a text). What is longer than KEPT_BYTES is cut; its length and its SHA-256 are kept, so that
it can be recognised, and it is never published again.
"""

import hashlib
import json
import uuid
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from kombu.utils import json as kombu_json

from chassis.sizes import KEPT_BYTES, MAX_HEADERS_WEIGHT, too_much

MAX_TEXT = 20_000

ESCAPED = "_escaped"
"""The header of a record that says what could not be kept as it was: the headers, by their `repr` in ASCII, or the body."""

ADDED_ON_THE_WAY = "redelivered"
"""A header that kombu adds to what it gives back to a list; those of RabbitMQ begin with `x-`."""


def text(value: str, most: int = MAX_TEXT) -> str:
    """At most `most` characters, with an escape for each that PostgreSQL does not take."""
    return value[:most].replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()[:most]


def as_json(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """A copy that `jsonb` takes and gives back equal; None when there is none, or it is longer than KEPT_BYTES."""
    try:
        if too_much(value, KEPT_BYTES):
            return None
        written = json.dumps(value, allow_nan=False, ensure_ascii=False)
        if len(written.encode()) > KEPT_BYTES or "\\u0000" in written:
            return None
        read: dict[str, Any] = json.loads(written, parse_float=_float)
    except (TypeError, ValueError, RecursionError):  # a lone surrogate is a ValueError, of the encoding
        return None
    return read if read == value else None


def _float(literal: str) -> float:
    if "e+" in literal:
        raise ValueError(f"jsonb gives {literal} back as an integer")
    return float(literal)


def raw_body(body: bytes) -> dict[str, Any]:
    """Bytes as they are, `{"raw": base64}`; of what is longer than KEPT_BYTES the beginning, with `bytes` and `sha256` of the whole."""
    kept = {"raw": b64encode(body[:KEPT_BYTES]).decode()}
    return kept if len(body) <= KEPT_BYTES else {**kept, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def is_raw(body: Mapping[str, Any]) -> bool:
    """Whether a kept body is bytes."""
    return set(body) in ({"raw"}, {"raw", "bytes", "sha256"})


def bytes_of(body: Mapping[str, Any]) -> bytes:
    """What `raw_body` was given. Raises ValueError when not all of it was kept."""
    if "bytes" in body:
        raise ValueError(f"only {KEPT_BYTES} of the {body['bytes']} bytes of its body were kept")
    return b64decode(body["raw"])


def body(arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Keyword arguments as they are; None when they cannot be kept, or would be taken for bytes."""
    return None if is_raw(arguments) else as_json(arguments)


def as_message(task: str, args: Sequence[Any], kwargs: Any) -> tuple[bytes, dict[str, Any]]:
    """Body and headers of a message that runs the task with arguments that `body` does not take."""
    told = {"task": task, "id": str(uuid.uuid4()), "_content_type": "application/json", "_content_encoding": "utf-8"}
    try:
        return kombu_json.dumps([list(args), kwargs, {}]).encode(), told
    except (TypeError, ValueError, RecursionError):  # of a type that no message can have
        return escaped([list(args), kwargs]).encode(), {**told, ESCAPED: "the body"}


def headers(told: Mapping[str, Any]) -> dict[str, Any]:
    """Headers as they are, or all of them escaped."""
    kept = None if too_much(told, MAX_HEADERS_WEIGHT) else as_json(told)
    return kept if kept is not None else {ESCAPED: escaped(told)}


def escaped(value: Any) -> str:
    """Anything in ASCII, cut where it is longer than MAX_HEADERS_WEIGHT, with what was cut."""
    try:
        written = ascii(value)
    except Exception as error:  # noqa: BLE001 - there is nothing that a repr may not raise
        written = f"{type(value).__name__} that cannot be written: {type(error).__name__}"
    if len(written) <= MAX_HEADERS_WEIGHT:
        return written
    digest = hashlib.sha256(written.encode()).hexdigest()
    return f"{written[:MAX_HEADERS_WEIGHT]}... ({len(written)} characters, SHA-256 {digest})"


def digest(queue: str, headers: Any, body: bytes) -> str:
    """The same for every delivery of a message, and for no two messages: what is added on the way is left out."""
    told = headers.items() if isinstance(headers, Mapping) else [("", headers)]
    own = sorted(_written(item) for item in told if not str(item[0]).startswith(("x-", ADDED_ON_THE_WAY)))
    return hashlib.sha256(b"\0".join([queue.encode("utf-8", "backslashreplace"), *own, body])).hexdigest()


def _written(value: Any) -> bytes:
    try:
        return ascii(value).encode()
    except Exception as error:  # noqa: BLE001 - as above
        return type(error).__name__.encode()
