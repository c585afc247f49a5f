"""What a WebSocket of the market says, in process: engine pool and database are small classes, the application is the real one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from trading.api import make_api
from trading.ports import NotHandedOver
from trading.settings import Settings

TOKENS = {"client": {"session": 1, "company": "CLIENT1", "accounts": [1]}, "operator": {"person": 1}}
SYMBOLS = {"SYM1": {"id": 1}, "SYM2": {"id": 2}}
NOW_US = 10**15


class EnginePool:
    """Answers as the door does."""

    def __init__(self) -> None:
        self.away = False
        self.book = {
            "sequence": 7,
            "time_us": NOW_US,
            "phase": 1,
            "killed_from": 0,
            "bids": [[999, 3]],
            "asks": [[1001, 2]],
        }
        self.trades = [[1, NOW_US, 1001, 1, 1]]

    async def ask(self, token: str, request: dict[str, Any]) -> dict[str, Any]:
        if self.away:
            raise NotHandedOver("the engine pool is away")
        if "book" in request:
            return {**self.book, "symbol": request["book"], "trades": self.trades}
        return {
            "sequence": 7, "time_us": NOW_US, "killed_from": 5, "accounts_killed_from": {"1": 6}, "refused": {"size": 2},
            "refused_since_us": NOW_US,
        }  # fmt: skip

    def ping(self) -> None: ...

    def close(self) -> None: ...


class Database:
    """Answers as ports.Views does."""

    def positions(self, accounts: Any) -> list[dict[str, int]]:
        names = (
            "symbol",
            "quantity",
            "cost_minor",
            "realised_minor",
            "fees_minor",
            "executions",
            "mark",
            "value_minor",
        )
        return [{"account": one, **dict.fromkeys(names, 1)} for one in accounts or (1, 2)]

    def applied(self) -> list[dict[str, int]]:
        return [{"shard": 0, "sequence": 7, "now_us": NOW_US}]

    def last_price(self, symbol: int) -> dict[str, int]:
        return {"at_us": NOW_US, "price": 1000, "bid": 999, "ask": 1001}

    def candles(self, symbol: int, span_us: int, limit: int) -> list[dict[str, int]]:
        return [{"begin_us": NOW_US, "open": 1, "high": 3, "low": 1, "close": 2, "quantity": 5, "trades": 1}]

    def latency(self, limit: int) -> list[dict[str, Any]]:
        measured = {"measured_at": datetime(2026, 1, 1, tzinfo=UTC), "shard": 0, "inputs": 9, "breaches": []}
        return [{**measured, "p50_us": 1.0, "p99_us": 2.0, "p999_us": 4.0}]


class Client:
    """One WebSocket, spoken as ASGI."""

    def __init__(self, app: Any, *, reads: bool = True) -> None:
        self._to, self._of = asyncio.Queue[dict[str, Any]](), asyncio.Queue[dict[str, Any]]()
        self.stuck = asyncio.Event()
        """Something was sent to a client that does not read."""
        scope = {"type": "websocket", "path": "/live/market", "headers": [], "query_string": b"", "subprotocols": []}
        self._to.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(app(scope, self._to.get, self._of.put if reads else self._never))

    def say(self, **told: Any) -> None:
        self._to.put_nowait({"type": "websocket.receive", "text": json.dumps(told)})

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next message of a kind."""
        while True:
            found = await asyncio.wait_for(self._of.get(), 10)
            assert found["type"] != "websocket.close", found
            if found["type"] == "websocket.send" and (told := json.loads(found["text"]))["type"] == kind:
                return dict(told)

    async def _never(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            self.stuck.set()
            await asyncio.Event().wait()

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close."""
        while True:
            found = await asyncio.wait_for(self._of.get(), 10)
            if found["type"] == "websocket.close":
                return found["code"], found["reason"]


class Api:
    """The application, and who follows the market of it."""

    def __init__(self) -> None:
        self.pool = EnginePool()
        settings = Settings(
            database_url="postgresql+psycopg://nobody@127.0.0.1/none", broker_url="redis://127.0.0.1/0", api_tokens=json.dumps(TOKENS),
            symbols=json.dumps(SYMBOLS), live_streams_client_limit=1,
        )  # fmt: skip
        self.app = make_api(self.pool, Database(), settings, registry=CollectorRegistry())
        self._clients: list[Client] = []

    def follow(self, *, reads: bool = True, **told: Any) -> Client:
        client = Client(self.app, reads=reads)
        client.say(**told)
        self._clients.append(client)
        return client

    async def end(self) -> None:
        for client in self._clients:
            client.task.cancel()
        await asyncio.gather(*(client.task for client in self._clients), return_exceptions=True)


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Api]:
    api = Api()
    try:
        yield api
    finally:
        await api.end()


def test_a_snapshot_then_what_changed_then_another_symbol() -> None:
    async def run() -> None:
        async with served() as api:
            client = api.follow(token="operator")
            snapshot = await client.hear("snapshot")
            api.pool.book = {**api.pool.book, "sequence": 8, "bids": [[998, 1]]}
            api.pool.trades = [*api.pool.trades, [2, NOW_US, 999, 3, 2]]
            change = await client.hear("increment")
            client.say(symbol="SYM2")
            other = await client.hear("snapshot")

            assert ("SYM1", 1, 7, "") == (
                snapshot["symbol"],
                snapshot["sequence"],
                snapshot["book"]["sequence"],
                snapshot["late"],
            )
            assert ("10.00", "0.02") == (snapshot["price"]["price"], snapshot["candles"][0]["close"])
            assert (2, 8) == (change["sequence"], change["book"]["sequence"])
            assert [("9.99", 0), ("9.98", 1)] == [(one["price"], one["quantity"]) for one in change["book"]["bids"]]
            assert ([], [2]) == (change["book"]["asks"], [one["number"] for one in change["trades"]])
            assert ("SYM2", 1) == (other["symbol"], other["sequence"])

    asyncio.run(run())


def test_a_client_sees_its_own_and_an_operator_all() -> None:
    async def run() -> None:
        async with served() as api:
            own = await api.follow(token="client").hear("state")
            whole = await api.follow(token="operator").hear("state")

            assert {"type", "symbols", "positions", "applied", "venue", "late"} == own.keys()
            assert {"sequence", "time", "killed_from"} == own["venue"].keys()
            assert ([1], [1, 2]) == tuple([one["account"] for one in told["positions"]] for told in (own, whole))
            assert ({"1": 6}, {"size": 2}, 9) == (
                whole["venue"]["accounts_killed_from"], whole["venue"]["refused"], whole["measures"][0]["inputs"],
            )  # fmt: skip

    asyncio.run(run())


def test_an_engine_pool_that_is_away_is_told_and_a_snapshot_follows_it() -> None:
    async def run() -> None:
        async with served() as api:
            client = api.follow(token="client", symbol="SYM1")
            await client.hear("snapshot")
            api.pool.away = True
            told = await client.hear("unavailable")
            api.pool.away = False

            assert "the engine pool is away" == told["detail"]
            assert 1 == (await client.hear("snapshot"))["sequence"]

    asyncio.run(run())


def test_the_end_of_the_process_is_told() -> None:
    async def run() -> tuple[int, str]:
        async with served() as api:
            client = api.follow(token="client")
            await client.hear("snapshot")
            api.app.state.draining.set()
            return await client.closed()

    assert (1001, "this process is to stop") == asyncio.run(run())


@pytest.mark.parametrize(
    ("told", "code", "reason"),
    [
        ({"token": "nobody"}, 4401, "nobody has this token"),
        ({"symbol": "SYM1"}, 4401, "nobody has this token"),
        ({"token": "operator", "symbol": "NONE"}, 4400, "'NONE'"),
        ({"token": "operator", "depth": 5}, 4400, "depth"),
        ({"token": 5}, 4400, "token"),
        ({"token": "client"}, 1013, "CLIENT1"),
    ],
)
def test_who_may_not_follow_is_told_why(told: dict[str, Any], code: int, reason: str) -> None:
    async def run() -> tuple[int, str]:
        async with served() as api:
            await api.follow(token="client").hear("state")
            return await api.follow(**told).closed()

    found = asyncio.run(run())

    assert (code, True) == (found[0], reason in found[1])


def test_a_client_that_does_not_read_holds_up_nobody() -> None:
    async def run() -> None:
        async with served() as api:
            await asyncio.wait_for(api.follow(reads=False, token="operator").stuck.wait(), 10)
            reader = api.follow(token="client", symbol="SYM1")
            await reader.hear("snapshot")
            for sequence in range(8, 12):
                api.pool.book = {**api.pool.book, "sequence": sequence}
                assert sequence == (await reader.hear("increment"))["book"]["sequence"]

    asyncio.run(run())
