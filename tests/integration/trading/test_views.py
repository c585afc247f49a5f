"""What the API shows of positions, prices and candles is what PostgreSQL has; a client sees its own accounts only."""

import asyncio
import json

import httpx
import pytest
from prometheus_client import CollectorRegistry

from chassis.migrate import migrate, scripts_of
from trading.adapters.latency_store import Measure, SqlLatencyStore
from trading.adapters.market_store import SqlMarketStore
from trading.adapters.portfolio_store import Applied, SqlPortfolioStore
from trading.adapters.views import SqlViews
from trading.api import make_api
from trading.domain.candles import DAY_US
from trading.domain.market_data import Quote, Trade
from trading.domain.portfolio import Instrument, Position
from trading.settings import Settings
from trading.usecases.market_data import MarketData

TOKENS = {
    "client": {"session": 1, "company": "CLIENT1", "accounts": [1, 2]},
    "operator": {"person": 1},
}
NOON_US = 20_000 * DAY_US + DAY_US // 2


class Away:
    """A door behind which nobody is: views need none."""

    def ping(self) -> None: ...


@pytest.fixture
def api(database_url):
    migrate(database_url, scripts_of("trading.audit"))
    settings = Settings(database_url=database_url, broker_url="amqp://localhost//", api_tokens=json.dumps(TOKENS))
    app = make_api(Away(), SqlViews(database_url, feed="market"), settings, registry=CollectorRegistry())

    async def ask(path, token="client", **parameters):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return await client.get(path, params=parameters, headers={"Authorization": f"Bearer {token}"})

    return lambda *given, **named: asyncio.run(ask(*given, **named))


def test_positions_with_their_value(api, database_url):
    with SqlPortfolioStore(database_url).shard(3) as rows:
        held = {
            (1, 1): Position(10, 1_000, 50, 7, 3),
            (2, 9): Position(-4, -500, 0, 1, 1),
            (5, 1): Position(1, 10**20, 0, 0, 1),
        }
        rows.save(Applied(b"j", 812, b"c" * 32, NOON_US), held, {1: Instrument(2, 105), 9: Instrument(1, 0)})

    own = api("/positions").json()
    assert {
        "account": 1, "symbol": "AAPL", "quantity": 10, "cost_minor": 1_000, "realised_minor": 50, "fees_minor": 7, "executions": 3,
        "mark": "1.05", "value_minor": 2_100, "unrealised_minor": 1_100,
    } == own["positions"][0]  # fmt: skip
    assert [("AAPL", "1.05"), ("9", None)] == [(one["symbol"], one["mark"]) for one in own["positions"]]
    assert [{"shard": 3, "sequence": 812, "time": "2024-10-04T12:00:00.000+00:00"}] == own["applied"]
    assert [1, 2, 5] == [one["account"] for one in api("/positions", "operator").json()["positions"]]
    assert [10**20] == [one["cost_minor"] for one in api("/positions", "operator", account=5).json()["positions"]]
    assert 403 == api("/positions", account=5).status_code
    assert 422 == api("/positions", account=0).status_code
    assert 401 == api("/positions", "nobody").status_code


def test_prices_and_candles(api, database_url):
    assert {"symbol": "IBM", "price": None, "bid": None, "ask": None, "time": None} == api("/prices/IBM").json()
    data = MarketData(SqlMarketStore(database_url, "market"), band_bp=0)
    data.take(
        [Trade(1, NOON_US, 4, 19_005, 3), Trade(2, NOON_US + 1, 4, 19_010, 4), Trade(3, NOON_US + DAY_US, 4, 18_000, 1)]
    )
    data.take([Quote(4, NOON_US + DAY_US, 4, 17_999, 5, 18_001, 6)])
    data.save()

    told = api("/prices/IBM").json()
    assert ("180.00", "179.99", "180.01") == (told["price"], told["bid"], told["ask"])
    days = api("/candles/IBM", span="day").json()["candles"]
    assert {
        "begin": "2024-10-04T00:00:00.000+00:00", "open": "190.05", "high": "190.10", "low": "190.05", "close": "190.10",
        "quantity": 7, "trades": 2,
    } == days[0]  # fmt: skip
    assert ["2024-10-04", "2024-10-05"] == [one["begin"][:10] for one in days]
    assert days[1:] == api("/candles/IBM", span="day", limit=1).json()["candles"]
    assert (422, True) == ((answer := api("/candles/NONE")).status_code, "NONE" in answer.text)
    assert 422 == api("/candles/IBM", span="year").status_code


def test_latency_is_for_operators(api, database_url):
    SqlLatencyStore(database_url, kept_days=7).add(
        Measure(0, 100, 1.0, 2.0, 4.0, ["p99 is at least 2 µs, its budget is 1 µs"])
    )

    assert 403 == api("/latency").status_code
    (measure,) = api("/latency", "operator").json()["measures"]
    assert (100, 2.0, ["p99 is at least 2 µs, its budget is 1 µs"]) == (
        measure["inputs"], measure["p99_us"], measure["breaches"]
    )  # fmt: skip
