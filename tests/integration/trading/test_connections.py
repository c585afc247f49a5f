"""The gateway's listeners, without an engine: how many connect at one moment, and when a connection that asks for nothing is closed."""

import json
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from loadtests.trading.driven_engine import shard

from trading.adapters.board import Board
from trading.adapters.ring import Ring
from trading.processes import control, gateway


@pytest.fixture
def idle_gateway(tmp_path: Path) -> Iterator[gateway.Gateway]:
    """A gateway that does not run."""
    settings = shard(tmp_path, door_port=0)
    settings.sessions.write_text(json.dumps({"company": "VENUE", "symbols": {}, "sessions": {}}))
    context = multiprocessing.get_context("spawn")
    rings, board = (Ring(context), Ring(context)), Board()
    with ExitStack() as stack:
        for shared in (*rings, board):
            stack.callback(shared.unlink)
        made = gateway.Gateway(settings, board, rings[0].sender(), rings[1].receiver())
        for listener in listeners(made):
            stack.enter_context(closing(listener))
        yield made


def listeners(made: gateway.Gateway) -> list[socket.socket]:
    """Of FIX, and of the doors for persons and for the API."""
    return [made._listener, *made._control.listeners]


def test_connections_wait_until_the_gateway_accepts_them(idle_gateway: gateway.Gateway) -> None:
    # Nobody accepts. The kernel drops what goes beyond the backlog, and the client's kernel tries again after a second.
    for listener, most in zip(
        listeners(idle_gateway), (gateway.CONNECTIONS, control.CONNECTIONS, control.CONNECTIONS), strict=True
    ):
        with ExitStack() as clients:
            for _ in range(most):
                client = clients.enter_context(socket.socket(listener.family))
                client.settimeout(0.5)
                client.connect(listener.getsockname())


def test_a_connection_that_asks_for_nothing_is_closed(idle_gateway: gateway.Gateway) -> None:
    door = listeners(idle_gateway)[2]
    with socket.create_connection(door.getsockname(), 5) as client:
        idle_gateway._serve(door, "control", 0)
        idle_gateway._tick(time.monotonic())
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        client.settimeout(5)

        idle_gateway._tick(time.monotonic() + control.IDLE_SECONDS + 1)

        assert b"" == client.recv(1)
