"""The API's connections to the door, where nobody answers."""

import asyncio
import socket

import pytest

from trading.adapters.door_connections import Connections
from trading.ports import NoAnswer


def test_who_gets_no_answer_in_time_is_told_that_it_was_the_time() -> None:
    async def asked(port: int) -> None:
        await Connections("127.0.0.1", port, answer_seconds=0.05).exchange({"token": "t"})

    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        pytest.raises(NoAnswer, match="the engine pool did not answer: TimeoutError"),
    ):
        asyncio.run(asked(door.getsockname()[1]))
