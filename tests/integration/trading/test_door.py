"""The API's connections to the door of a real shard: kept for the next request, and what becomes of a request when its connection ends."""

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from loadtests.trading.fix_path import Market, owned, secret, until

from servers import free_port, wait_until
from trading.adapters import door_connections
from trading.adapters.door_client import DoorClient
from trading.adapters.journal.reader import records
from trading.adapters.layouts import INPUTS, slots
from trading.domain.terms import Input, Side, TimeInForce, Type
from trading.ports import NoAnswer, NotHandedOver, NotTaken
from trading.processes.owner import Owner

CLIENTS = 60
ANSWER_SECONDS = 5.0


class Shard:
    """A shard whose clients have the accounts of their own numbers; client ids are never used twice."""

    def __init__(self, owner: Owner, folder: Path, port: int) -> None:
        self.owner, self.folder, self.port, self._last_id = owner, folder, port, 0

    def order(self, client: int = 1) -> dict[str, Any]:
        """A request for a new order that rests."""
        self._last_id += 1
        terms = (1, Side.BUY, Type.LIMIT, TimeInForce.DAY, 900, 0, 1)
        return {"input": (Input.NEW, client, self._last_id, client, *terms)}

    def taken(self, request: dict[str, Any]) -> int:
        """How often the journal has an order."""
        inputs = (
            INPUTS[one[0][0]].unpack(one[0])
            for one in (slots(record) for _, record in records(self.folder / "journal"))
        )
        return Counter(inputs)[tuple(map(int, request["input"]))]

    def replaced(self, *children: str) -> None:
        """Kill children, and return when others take orders."""
        for child in children:
            before = self.owner.replaced
            os.kill(self.owner.pid(child) or 0, signal.SIGKILL)
            until(self.owner, lambda before=before: self.owner.replaced > before and self.owner.ready)


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shard]:
    folder, port = tmp_path_factory.mktemp("shard"), free_port()
    with owned(folder, Market(1, tuple((one,) for one in range(1, CLIENTS + 1)), 1000), door_port=port) as owner:
        yield Shard(owner, folder, port)


@pytest.fixture
def unpinged(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is pinged, as when it was used a moment ago."""
    monkeypatch.setattr(door_connections, "PROBE_SECONDS", 1e9)


class Relay:
    """What lies between an API and the gateway. Connections may fall silent, with no end that anybody is told of."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.made = self.open = 0
        self._silent = 0
        self.cutting = False
        """Requests pass. Instead of its answer a request gets the end of its connection."""
        self.passing = asyncio.Event()
        self.passing.set()
        """While it is not set, answers are held back."""
        self.held = asyncio.Event()

    def silence(self) -> None:
        """Nothing passes any more on the connections that there are."""
        self._silent = self.made

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made, self.open = self.made + 1, self.open + 1
        number = self.made
        answers, requests = await asyncio.open_connection("127.0.0.1", self._port)

        async def back() -> None:
            while data := await answers.read(65536):
                self.held.set()
                await self.passing.wait()
                if self.cutting:
                    break
                if number > self._silent:
                    writer.write(data)
            writer.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(back())
            while data := await reader.read(65536):
                if number > self._silent:
                    requests.write(data)
            self.open -= 1
            requests.close()


@asynccontextmanager
async def relayed(shard: Shard) -> AsyncIterator[tuple[Relay, Callable[..., Awaitable[dict[str, Any]]]]]:
    """A relay, and a client that asks through it."""
    relay = Relay(shard.port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    door = DoorClient("127.0.0.1", server.sockets[0].getsockname()[1], answer_seconds=ANSWER_SECONDS)

    async def ask(request: dict[str, Any], token: str | None = None) -> dict[str, Any]:
        session = request["input"][1] if "input" in request else 1
        return await door.ask(token or secret(session).decode(), request)

    try:
        yield relay, ask
    finally:
        door.close()
        server.close()


def test_requests_share_few_connections_and_each_has_its_own_token(shard: Shard) -> None:
    async def asked() -> None:
        async with relayed(shard) as (relay, ask):
            await ask(shard.order())
            refused = [
                ({"status": 1}, "nobody", "UNKNOWN_TOKEN"),
                (shard.order(client=1), secret(2).decode(), "not taken from session 2"),
                ({"status": "one"}, None, "one"),
                ({"status": 10**30}, None, "10"),
            ]
            for request, token, told in refused:
                with pytest.raises(NotTaken, match=told):
                    await ask(request, token or secret(1).decode())
            mine = await ask(shard.order(client=2))
            one_after_the_other = relay.made
            many = await asyncio.gather(*(ask(shard.order(client)) for client in range(1, CLIENTS + 1)))

            assert 1 == one_after_the_other
            assert [2, 2] == [outcome[1] for outcome in mine["outcomes"]]
            assert [*range(1, CLIENTS + 1)] == [answer["outcomes"][-1][1] for answer in many]
            assert 1 < relay.made <= door_connections.MOST

    asyncio.run(asked())


async def kept_connection(shard: Shard) -> tuple[DoorClient, dict[str, Any], str]:
    """A door that keeps a connection, an order that it was not asked for yet, and a token for it."""
    door = DoorClient("127.0.0.1", shard.port, answer_seconds=ANSWER_SECONDS)
    order, token = shard.order(), secret(1).decode()
    await door.ask(token, {"status": 1})
    return door, order, token


@pytest.mark.parametrize("child", ["engine", "gateway"])
@pytest.mark.usefixtures("unpinged")
def test_a_connection_that_ended_while_idle_costs_no_order(shard: Shard, child: str) -> None:
    async def asked() -> None:
        door, order, token = await kept_connection(shard)
        shard.replaced(child)

        answer = await door.ask(token, order)

        assert order["input"][2] == answer["outcomes"][-1][2]
        door.close()
        await asyncio.to_thread(wait_until, lambda: shard.taken(order) == 1, what="the order in the journal")

    asyncio.run(asked())


@pytest.mark.usefixtures("unpinged")
def test_while_nobody_listens_nothing_is_handed_over(shard: Shard) -> None:
    def refused() -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", shard.port)) != 0

    async def asked() -> None:
        door, order, token = await kept_connection(shard)
        os.kill(shard.owner.pid("gateway") or 0, signal.SIGKILL)
        await asyncio.to_thread(wait_until, refused, what="the gateway to be gone")

        with pytest.raises(NotHandedOver):
            await door.ask(token, order)

        until(shard.owner, lambda: shard.owner.ready and not refused())
        await door.ask(token, order)
        door.close()
        await asyncio.to_thread(wait_until, lambda: shard.taken(order) == 1, what="the order in the journal")

    asyncio.run(asked())


def test_a_connection_that_fell_silent_while_idle_costs_no_order(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_connections, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(door_connections, "WAIT_SECONDS", 0.5)

    async def asked() -> None:
        async with relayed(shard) as (relay, ask):
            await asyncio.gather(*(ask({"status": 1}) for _ in range(4)))
            made, order = relay.made, shard.order()
            relay.silence()

            answer = await ask(order)

            assert order["input"][2] == answer["outcomes"][-1][2]
            assert made > 1, "the silence of one connection is to stand for the others"
            assert relay.made == made + 1
            await ask({"status": 1})
            assert relay.made == made + 1
            await asyncio.to_thread(wait_until, lambda: shard.taken(order) == 1, what="the order in the journal")

    asyncio.run(asked())


def test_an_order_whose_connection_breaks_is_unknown_and_is_sent_once(shard: Shard) -> None:
    async def asked() -> None:
        async with relayed(shard) as (relay, ask):
            await ask({"status": 1})
            order = shard.order()
            relay.cutting = True

            with pytest.raises(NoAnswer):
                await ask(order)

            relay.cutting = False
            status = await ask({"status": order["input"][2]})
            assert (2, 1) == (status["outcomes"][0][3], relay.made - 1), "open, and asked for on another connection"
            await asyncio.to_thread(wait_until, lambda: shard.taken(order) == 1, what="the order in the journal")

    asyncio.run(asked())


def test_an_answer_that_nobody_waited_for_is_given_to_nobody_else(shard: Shard) -> None:
    async def asked() -> None:
        async with relayed(shard) as (relay, ask):
            relay.passing.clear()
            given_up = asyncio.create_task(ask({"status": 70_001}))
            await asyncio.wait_for(relay.held.wait(), 10)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
            relay.passing.set()

            assert 70_002 == (await ask({"status": 70_002}))["outcomes"][0][2]

    asyncio.run(asked())


def test_unused_connections_are_closed(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_connections, "IDLE_SECONDS", 0.2)

    async def asked() -> None:
        async with relayed(shard) as (relay, ask):
            await asyncio.gather(*(ask({"status": 1}) for _ in range(4)))
            made = relay.made
            await asyncio.to_thread(wait_until, lambda: not relay.open, what="connections to be closed")
            await ask({"status": 1})
            assert (True, made + 1) == (made > 1, relay.made)

    asyncio.run(asked())
