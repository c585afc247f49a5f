"""Messages that no worker can run, drawn by seed: strange headers, ids, properties, bodies and sizes. Pure.

Each has a mark of its own in its body, so that what is parked can be told from what is not. A message whose headers or size are wrong
may name commands that are open: these are not to blame, and none of them may be lost by it.
"""

import contextlib
import hashlib
import json
import random
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NOBODY = 2**62
"""The id of no command."""

_UNPRINTABLE = "\x00\u202e\x1b[2J"

HEADERS: tuple[tuple[str, Any], ...] = (
    ("timelimit", "ab"),
    ("timelimit", [7, -1]),
    ("timelimit", {"a": 1}),
    ("id", {"a": 1}),
    ("id", "x" * 300),
    ("id", _UNPRINTABLE),
    ("id", None),
    ("task", "x" * 300),
    ("task", _UNPRINTABLE),
    ("task", ["orders"]),
    ("eta", "2999-01-01T00:00:00"),
    ("expires", "0001-01-01T00:00:00+23:59"),
    ("expires", 7),
    ("expires", [{}]),
    ("retries", "x"),
    ("retries", -1),
    ("retries", 1.5),
    ("group", [1]),
    ("group_index", "x"),
    ("shadow", ["x"]),
    ("lang", 7),
    ("argsrepr", {"a": 1}),
    ("root_id", _UNPRINTABLE),
    ("parent_id", 7),
    ("origin", [1]),
    ("hostname", "x"),
    ("delivery_info", "x"),
    ("callbacks", [{"task": "x"}]),
    ("chain", 7),
    ("compression", "gzip"),
    ("stamps", {"a": 1}),
    ("text", "x" * 100_000),
)
PROPERTIES: tuple[Mapping[str, Any], ...] = (
    {"content_type": "text/plain"},
    {"content_type": "application/x-python-serialize"},
    {"content_type": "x" * 200},
    {"content_encoding": "punycode"},
    {"content_encoding": "zlib_codec"},
    {"correlation_id": "\x00"},
    {"reply_to": "\x00"},
)


def _call(mark: str, *ids: int, args: str = "", options: str = "{}", **kwargs: Any) -> bytes:
    named = json.dumps({"v": 1, "ids": list(ids) or [NOBODY], "mark": mark, **kwargs})
    return f"[[{args}], {named}, {options}]".encode()


BODIES: Mapping[str, Callable[[str], bytes]] = {
    "no JSON": lambda mark: b"{not json " + mark.encode(),
    "NUL characters": lambda mark: b"\x00\x00" + mark.encode(),
    "bytes that are no text": lambda mark: b"\xff\xfe\xfd" + mark.encode(),
    "JSON that ends too early": lambda mark: _call(mark)[:-3],
    "another shape": lambda mark: json.dumps({"command": mark}).encode(),
    "a version from the future": lambda mark: _call(mark, v=99),
    "ids that are none": lambda mark: _call(mark, ids=["x", {"a": 1}]),
    "arguments that are none": lambda mark: _call(mark, args="1, 2, 3"),
    "a lone surrogate": lambda mark: _call(mark).replace(b'"mark": "', b'"mark": "\\ud800'),
    "no number": lambda mark: _call(mark, number=0).replace(b'"number": 0', b'"number": NaN'),
    "thousands of digits": lambda mark: _call(mark, number=0).replace(b'"number": 0', b'"number": ' + b"9" * 5_000),
    "nested deeper than a decoder goes": lambda mark: b"[" * 100_000 + mark.encode(),
    "200,000 ids": lambda mark: _call(mark, *range(NOBODY, NOBODY + 200_000)),
    "megabytes": lambda mark: _call(mark, text="x" * 3_000_000),
    "a callback": lambda mark: _call(mark, options='{"callbacks": [{"task": "x"}]}'),
    "a type that nobody knows": lambda mark: _call(mark, text={"__type__": [], "__value__": 7}),
}


@dataclass(frozen=True, slots=True)
class HostileMessage:
    """`what` says what is wrong with it; `headers` are changes of a task message's, None for one that is left out."""

    what: str
    body: bytes
    headers: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kept_as(self) -> frozenset[str]:
        """What a record of it has for `fingerprint`: its body raw, or the arguments in it."""
        told = {_of_bytes(self.body)}
        with contextlib.suppress(ValueError, RecursionError, KeyError, IndexError, TypeError):
            told.add(_of_arguments(json.loads(self.body)[1]))
        return frozenset(told)


def drawn(run: str, seed: int, count: int, open_ids: Sequence[int]) -> list[HostileMessage]:
    """So many, each wrong in another way before one comes twice; those whose body is not to blame name `open_ids`.

    `run` is in every mark. The kinds, and their order, are the seed's alone.
    """
    rng = random.Random(seed)
    kinds = [*_wrong_headers(open_ids), *_wrong_properties(open_ids), *_wrong_bodies()]
    found: list[HostileMessage] = []
    while len(found) < count:
        order = rng.sample(kinds, len(kinds))
        found += [make(f"{run}-{len(found) + number}") for number, make in enumerate(order)]
    return found[:count]


Make = Callable[[str], HostileMessage]


def _wrong_headers(ids: Sequence[int]) -> Iterator[Make]:
    for name, value in HEADERS:
        yield (
            lambda mark, name=name, value=value: HostileMessage(  # type: ignore[misc]
                f"header {name} {str(value)[:20]!r}", _call(mark, *ids), headers={name: value}
            )
        )


def _wrong_properties(ids: Sequence[int]) -> Iterator[Make]:
    for properties in PROPERTIES:
        yield (
            lambda mark, properties=properties: HostileMessage(  # type: ignore[misc]
                f"property {properties}"[:60], _call(mark, *ids), properties=properties
            )
        )


def _wrong_bodies() -> Iterator[Make]:
    for what, body in BODIES.items():
        yield lambda mark, what=what, body=body: HostileMessage(f"body: {what}", body(mark))  # type: ignore[misc]
    yield lambda mark: HostileMessage(
        "a task that does not exist", _call(mark), headers={"task": "nobody.no_such_task"}
    )


def fingerprint(body: Any) -> str:
    """By what a parked record's body is told from another's: its bytes, or the arguments that are kept in their place."""
    if isinstance(body, dict) and "raw" in body:
        return str(body["sha256"]) if "sha256" in body else _of_bytes(b64decode(body["raw"]))
    return _of_arguments(body)


def _of_bytes(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _of_arguments(arguments: Any) -> str:
    return json.dumps(arguments, sort_keys=True)
