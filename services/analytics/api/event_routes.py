"""`POST /events` and `POST /backfill`: the doors for events. Parses, cuts into parts, and answers once the broker has confirmed them all.

    200  {"accepted": 4999, "refused": [{"index": 17, "reason": "…"}]}
    429  the door of backfills took as many events as it may; repeat the request after Retry-After seconds
    503  nothing is known to be safe: repeat the request with the same key after Retry-After seconds

It is a plain Starlette route, because what FastAPI does for each request costs more than parsing fifty events.
"""

import hashlib
import re
import time
from collections.abc import Callable
from math import ceil

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from analytics.api import content_encoding
from analytics.api.access import client_of
from analytics.domain.errors import BodyRefused
from analytics.domain.pace import Pace
from analytics.domain.parsing import Parsed, Refused, parse_array, parse_lines
from analytics.domain.parts import cut
from analytics.settings import Settings
from analytics.usecases.collect import Collectors, Overloaded
from chassis import tracing
from chassis.http.problems import Problem, wrong

KEY = re.compile(r"[\x21-\x7e]{1,128}")
"""What an Idempotency-Key is: 1 to 128 visible ASCII characters, new for each request that is no repetition."""

_PARSERS: dict[str, Callable[..., Parsed]] = {"application/json": parse_array, "application/x-ndjson": parse_lines}


class Taken(msgspec.Struct):
    """The answer to a request whose events are safe."""

    accepted: int
    refused: list[Refused]


class BodyBudget:
    """How many bytes of bodies one process holds at a time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class Events:
    """The route of one door."""

    def __init__(self, collector: Collectors, settings: Settings, pace: Pace | None = None) -> None:
        """`pace` says how many events may come; as many as the broker takes without one."""
        self._pace = pace
        self._collector = collector
        self._settings = settings
        # Bodies that are being read: as many as there may be events that wait for the broker, at 200 bytes each.
        self._budget = BodyBudget(max(settings.body_limit_bytes, settings.buffer_events * 200))

    async def post(self, request: Request) -> Response:
        """Take the events of one request."""
        client = client_of(request)
        key = _key(request)
        _name_in_trace(key)
        parse = _parser(request)
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in content_encoding.ENCODINGS:
            reason = f"is none of {', '.join(content_encoding.ENCODINGS)}"
            raise Problem(415, f"Content-Encoding {reason}", errors=[wrong("Content-Encoding", encoding, reason)])
        try:
            self._collector.check()
            parsed = await self._parsed(request, parse, encoding)
            wait = self._pace.take(len(parsed.events), time.monotonic()) if self._pace else 0.0
            if wait:
                raise Problem(429, "more events than a backfill may send", headers={"Retry-After": str(ceil(wait))})
            await self._collector.add(list(cut(client, key, parsed.events)))
        except Overloaded as error:
            raise Problem(503, str(error), headers={"Retry-After": str(error.retry_after_seconds)}) from None
        return Response(
            msgspec.json.encode(Taken(parsed.accepted, parsed.refused)), headers={"Content-Type": "application/json"}
        )

    async def _parsed(self, request: Request, parse: Callable[..., Parsed], encoding: str) -> Parsed:
        settings, budget = self._settings, self._budget
        reserved = 0
        chunks: list[bytes] = []
        try:
            async for chunk in request.stream():
                reserved += len(chunk)
                budget.used += len(chunk)
                if reserved > settings.body_limit_bytes:
                    raise _too_long(f"is longer than {settings.body_limit_bytes} bytes", reserved)
                if budget.used > budget.limit:
                    raise Overloaded(f"{budget.used} bytes of bodies are being read, at most {budget.limit} may")
                chunks.append(chunk)
            body = b"".join(chunks)
            chunks.clear()
            body = content_encoding.decoded(
                body, encoding, limit=settings.decoded_limit_bytes, ratio=settings.ratio_limit
            )
            return parse(body, limit=settings.body_events_limit)
        except content_encoding.TooLong as error:
            raise _too_long(str(error), reserved) from None
        except content_encoding.Undecodable as error:
            raise Problem(400, f"the body {error}", errors=[wrong("body", None, str(error))]) from None
        except BodyRefused as error:
            raise Problem(400, str(error), errors=[wrong("body", None, str(error))]) from None
        except ClientDisconnect:
            raise Problem(400, "the client left before its body was read") from None
        finally:
            budget.used -= reserved


def _key(request: Request) -> str:
    keys = request.headers.getlist("idempotency-key")
    if len(keys) == 1 and KEY.fullmatch(keys[0]):
        return keys[0]
    reason = "is needed once, 1 to 128 visible ASCII characters"
    raise Problem(400, f"Idempotency-Key {reason}", errors=[wrong("Idempotency-Key", ", ".join(keys) or None, reason)])


def _name_in_trace(key: str) -> None:
    """The request's span has a digest of its key: what a client writes into a key may be anybody's personal data."""
    span = tracing.current()
    if span is not None:
        span.attributes["request.id"] = hashlib.sha256(key.encode()).hexdigest()[:32]


def _parser(request: Request) -> Callable[..., Parsed]:
    kind = request.headers.get("content-type", "")
    parse = _PARSERS.get(kind.partition(";")[0].strip().lower())
    if parse is None:
        reason = f"is none of {', '.join(_PARSERS)}"
        raise Problem(415, f"Content-Type {reason}", errors=[wrong("Content-Type", kind, reason)])
    return parse


def _too_long(reason: str, length: int) -> Problem:
    # What is left of the body is not read: the connection cannot be used again.
    headers = {"Connection": "close"}
    return Problem(413, f"the body {reason}", errors=[wrong("body", length, reason)], headers=headers)
