"""A WebSocket whose client does not read is dropped with a reason, and nobody waits for it."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect
from websockets.client import ClientProtocol
from websockets.sync.client import connect
from websockets.uri import parse_uri

from chassis.http.protocol import BoundedProtocol, ConnectionLimits
from chassis.http.websocket_protocol import SLOW_READER, BoundedWebSocket
from servers import wait_until

WRITE_SECONDS = 0.5
PIECE = "x" * 10_000
LIMITS = ConnectionLimits(connections=20, head_seconds=0.5)
ENDS: list[type[BaseException]] = []
"""What has ended those who send as much as a client takes."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served() as address:
        yield address


@contextmanager
def served(**settings: Any) -> Iterator[str]:
    """A server that sends as much as a client takes, and a number each time that it is asked."""
    app = FastAPI()

    @app.websocket("/flood")
    async def flood(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(PIECE)
                await asyncio.sleep(0)
        except BaseException as error:
            ENDS.append(type(error))
            raise

    @app.websocket("/count")
    async def count(websocket: WebSocket) -> None:
        await websocket.accept()
        number = 0
        try:
            while await websocket.receive_text():
                number += 1
                await websocket.send_text(str(number))
        except WebSocketDisconnect:
            return

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="critical",
            http=partial(BoundedProtocol, limits=LIMITS),  # type: ignore[arg-type]
            ws=partial(BoundedWebSocket, write_seconds=WRITE_SECONDS),  # type: ignore[arg-type]
            ws_per_message_deflate=False,
            **settings,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    wait_until(lambda: server.started, what="the server")
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def drop(url: str) -> tuple[int, str]:
    """Read nothing for long enough, and then all that there is; gives the close code and the reason. Another client is served meanwhile."""
    ENDS.clear()
    protocol = ClientProtocol(parse_uri(f"{url}/flood"))
    protocol.send_request(protocol.connect())
    waits = []
    with (
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as mute,
        connect(f"{url}/count") as reader,
    ):
        mute.sendall(b"".join(protocol.data_to_send()))
        until = time.monotonic() + WRITE_SECONDS * 1.5
        while (asked := time.monotonic()) < until:
            reader.send("next")
            reader.recv(timeout=5)
            waits.append(time.monotonic() - asked)
        # What waits already is still had by whoever reads on, and behind it the reason.
        mute.settimeout(10)
        while data := mute.recv(1 << 16):
            protocol.receive_data(data)
    wait_until(lambda: len(ENDS) == 1, what="the sender to end")

    assert max(waits) < WRITE_SECONDS
    assert protocol.close_rcvd is not None
    return protocol.close_rcvd.code, protocol.close_rcvd.reason


def test_a_slow_reader_is_dropped_with_a_reason_and_stalls_nobody(url: str) -> None:
    code, reason = drop(url)

    assert (SLOW_READER, True, [WebSocketDisconnect]) == (code, "too slow" in reason, ENDS)


def test_who_answers_no_ping_is_dropped_with_a_reason_and_stalls_nobody() -> None:
    with served(ws_ping_interval=0.1, ws_ping_timeout=0.1) as url:
        code, _ = drop(url)

    assert (1011, [WebSocketDisconnect]) == (code, ENDS)


def test_a_websocket_outlives_the_time_limits_of_requests_and_takes_no_place_of_theirs(url: str) -> None:
    with connect(f"{url}/count") as reader:
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as mute:
            # It was made later, and the time that a request's head may take has passed for it.
            assert b"" == mute.recv(1)
        reader.send("next")

        assert "1" == reader.recv(timeout=5)
        assert 0 == LIMITS.by_address.total()
