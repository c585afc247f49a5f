"""Reads a request's body before anything else does, and refuses one that is too long as soon as that is known (ASGI)."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.http.problems import Problem, answer, wrong


class BodyLimit:
    """At most `limit` bytes a body."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told[:20]) > self._limit:
            await self._refuse(int(told[:20]))(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                await self._refuse(len(body))(scope, receive, send)
                return
        await self._app(scope, _replay(bytes(body), receive), send)

    def _refuse(self, length: int) -> ASGIApp:
        reason = f"is longer than {self._limit} bytes"
        # What is left of the body is not read: the connection cannot be used again.
        close = {"Connection": "close"}
        return answer(Problem(413, f"the body {reason}", errors=[wrong("body", length, reason)], headers=close))


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
