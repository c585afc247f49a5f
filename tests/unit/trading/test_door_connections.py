"""The API's connections to the door, where nobody answers."""

import asyncio
import json
import socket

import pytest

from trading.adapters import door_connections
from trading.adapters.door_connections import MOST, QUESTIONS, Connections
from trading.ports import NoAnswer, NotHandedOver


def test_who_gets_no_answer_in_time_is_told_that_it_was_the_time() -> None:
    async def asked(port: int) -> None:
        await Connections("127.0.0.1", port, answer_seconds=0.05).exchange({"token": "t"})

    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        pytest.raises(NoAnswer, match="the engine pool did not answer: TimeoutError"),
    ):
        asyncio.run(asked(door.getsockname()[1]))


def test_questions_without_an_answer_keep_no_order_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_connections, "WAIT_SECONDS", 0.2)
    came: asyncio.Queue[str] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            came.put_nowait(next(name for name in json.loads(line) if name != "token"))
        writer.close()

    async def asked() -> None:
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        connections = Connections(*server.sockets[0].getsockname(), answer_seconds=30.0)
        questions = [asyncio.create_task(connections.exchange({"token": "t", "book": 1})) for _ in range(2 * MOST)]
        under_way = [await asyncio.wait_for(came.get(), 5) for _ in range(QUESTIONS)]
        ended, waiting = await asyncio.wait(questions, return_when=asyncio.FIRST_EXCEPTION)

        order = asyncio.create_task(connections.exchange({"token": "t", "input": []}))

        assert "input" == await asyncio.wait_for(came.get(), 5)
        assert {"book"} == set(under_way)
        with pytest.raises(NotHandedOver, match=f"BUSY: {QUESTIONS} questions"):
            ended.pop().result()
        for one in (*waiting, order):
            one.cancel()
        await asyncio.gather(*waiting, *ended, order, return_exceptions=True)
        server.close()

    asyncio.run(asked())
