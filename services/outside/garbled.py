"""Answers that say what nobody can use: the effect took place and the status is true, everything else may be anything. Pure.

No answer here is false and well-formed at once: a caller that takes only what it can read is told nothing, and has to ask again.
"""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

# More digits than Python turns into a number, and more than any number of JSON's users.
DIGITS = 5_000
# Longer than any column, label or header.
CHARACTERS = 200_000
# Deeper than a decoder goes.
DEPTH = 100_000

Members = Mapping[str, Any]
VALUES: tuple[Any, ...] = (None, True, {}, [[]], {"a": 1}, 1.5e300, "", "\x00", "\ud800")
"""JSON values that no member of an answer may have."""


def _each(spoilt: Callable[[str], str]) -> Callable[[Members, random.Random], bytes]:
    """Every member becomes a text, made of what it was."""
    return lambda members, _: json.dumps({name: spoilt(str(value)) for name, value in members.items()}).encode()


def _other_types(members: Members, rng: random.Random) -> bytes:
    return json.dumps({name: rng.choice(VALUES) for name in members}).encode()


def _without_one(members: Members, rng: random.Random) -> bytes:
    lost = rng.choice(list(members) or [""])
    return json.dumps({name: value for name, value in members.items() if name != lost}).encode()


def _digits(members: Members, _: random.Random) -> bytes:
    return json.dumps(dict.fromkeys(members, 0)).replace(": 0", ": " + "9" * DIGITS).encode()


def _truncated(members: Members, rng: random.Random) -> bytes:
    whole = json.dumps(dict(members)).encode()
    return whole[: rng.randrange(1, len(whole))]


BODIES: Mapping[str, Callable[[Members, random.Random], bytes]] = {
    "nothing": lambda members, rng: b"",
    "a page of HTML": lambda members, rng: b"<html><body>It works!</body></html>",
    "JSON that ends too early": _truncated,
    "an object without members": lambda members, rng: b"{}",
    "a member too few": _without_one,
    "a list": lambda members, rng: b"[]",
    "null": lambda members, rng: b"null",
    "no number": lambda members, rng: b'{"status": NaN}',
    "other types": _other_types,
    "numbers of thousands of digits": _digits,
    "NUL characters": _each(lambda text: f"\x00{text}\x00"),
    "lone surrogates": _each(lambda text: f"{text}\udc00"),
    "texts without end": _each(lambda text: text + "x" * CHARACTERS),
    "lists within each other": lambda members, rng: b"[" * DEPTH + b"]" * DEPTH,
    "bytes that are no text": lambda members, rng: rng.randbytes(200),
}
HEADERS: Mapping[str, Mapping[str, str]] = {
    "a type of content that it has not": {"Content-Type": "image/png"},
    "an encoding that nobody knows": {"Content-Type": "application/json; charset=x-none"},
    "a compression that it has not": {"Content-Encoding": "gzip"},
    "a wish of another kind": {"Retry-After": "9" * 400, "Set-Cookie": "a; Max-Age=-1"},
}


def http(answer: Response, rng: random.Random) -> Response:
    """Another answer with the status of this one. What it may have said before is gone, or its headers say something else of it."""
    kind = rng.choice([*BODIES, *HEADERS])
    if kind in HEADERS:
        return Response(answer.body, answer.status_code, {**HEADERS[kind]}, media_type="application/json")
    body = BODIES[kind](_members(bytes(answer.body)), rng)
    return Response(body, answer.status_code, media_type="application/json")


def _members(body: bytes) -> Members:
    found = json.loads(body) if body else {}
    return found if isinstance(found, dict) else {}


NO_REPLIES = ("banana", "2\x000 OK", "99999999999999999999 yes", "-250 OK", "\x00", "2xx\ufffd", "")
"""Lines of SMTP that begin with no code that a client knows."""

REPLIES = ("250 \x00", "250 \ufffd\u202e\x1b[2J", "250", "250-first\r\n250 \x00last", "250 " + "x" * 4_000)
"""Lines that say by their code that it was done, with a text that no client expects; each as long as clients read."""
