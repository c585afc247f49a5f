"""The API in this process over a real PostgreSQL, with a catalogue of two products."""

import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, generate_latest

from chassis import database
from chassis import tables as chassis_tables
from chassis.migrate import migrate, scripts_of
from orders.adapters import tables
from orders.adapters.intake_store import PostgresIntakeStore
from orders.api import make_api
from orders.domain.order import Product
from orders.domain.saga import Saga
from orders.ports import Change
from orders.settings import Settings
from servers import Postgres

sys.path.insert(0, str(Path(__file__).parent))  # tests import `strangers` and one another by name

MIGRATIONS = scripts_of("orders.app")
TOKENS = '{"ann-token": {"customer": "ann"}, "bob-token": {"customer": "bob"}, "op-token": {"role": "operator"}}'
SECRET = "carrier-secret"


@dataclass
class Shop:
    """The API, its database, and clients for everybody who may come."""

    engine: sa.Engine
    settings: Settings
    app: FastAPI
    registry: CollectorRegistry
    order_id: str = ""

    def metrics(self) -> str:
        """What the API counted."""
        return generate_latest(self.registry).decode()

    def client(self, token: str | None = None) -> TestClient:
        """A client with this token; a 500 is an answer, not an exception."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return TestClient(self.app, headers=headers, raise_server_exceptions=False)

    def place(self, wanted: dict[str, Any], *, token: str = "ann-token", key: str = "k-1") -> Any:
        """The answer to an order."""
        return self.client(token).post("/orders", json=wanted, headers={"Idempotency-Key": key})

    def placed(self, wanted: dict[str, Any], *, token: str = "ann-token", key: str = "k-1") -> str:
        """The id of an accepted order."""
        answer = self.place(wanted, token=token, key=key)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["order_id"])

    def become(self, order_id: str, saga: Saga, tracking_number: str | None = None) -> None:
        """Put an order where its saga could have brought it."""
        with PostgresIntakeStore(self.engine).begin() as tx:
            tx.save([Change(order_id, saga, tracking_number=tracking_number)])

    def rows(self, query: str, **values: Any) -> list[Any]:
        """What a query finds."""
        with self.engine.begin() as conn:
            return list(conn.execute(sa.text(query), values))

    def run(self, statement: str, **values: Any) -> None:
        """Change something behind the API's back."""
        with self.engine.begin() as conn:
            conn.execute(sa.text(statement), values)

    def over(self, **settings: Any) -> "Shop":
        """The same shop with other settings."""
        return opened(self.engine, self.settings.replace(**settings))


def opened(engine: sa.Engine, settings: Settings) -> Shop:
    registry = CollectorRegistry()
    app = make_api(PostgresIntakeStore(engine), settings=settings, registry=registry)
    return Shop(engine, settings, app, registry)


@pytest.fixture(scope="session")
def settings(postgres: Postgres) -> Iterator[Settings]:
    """Settings with a migrated database, one for all tests here: emptying it is faster than making it."""
    name = "orders_api"
    postgres.execute(f"CREATE DATABASE {name}")
    migrate(postgres.url(name), MIGRATIONS)
    yield Settings(
        database_url=postgres.url(name),
        broker_url="redis://127.0.0.1:1/0",
        api_tokens=TOKENS,
        carrier_secret=SECRET,
    )
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Iterator[sa.Engine]:
    """Connections to that database."""
    engine = database.connect(settings.database_url, pool_size=settings.api_threads, statement_timeout_seconds=3)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def make_shop(engine: sa.Engine, settings: Settings) -> Callable[[], Shop]:
    """Opens a shop without orders: LAMP costs 19.95, MUG 4.50; ten of each."""

    def make() -> Shop:
        everything = [*tables.metadata.tables, *chassis_tables.metadata.tables]
        with engine.begin() as conn:
            conn.execute(sa.text(f"TRUNCATE {', '.join(everything)} RESTART IDENTITY"))
        store = PostgresIntakeStore(engine)
        for product in (Product("LAMP", "Lamp", 1995, "EUR"), Product("MUG", "Mug", 450, "EUR")):
            with store.begin() as tx:
                tx.put_product(product)
                tx.restock(product.sku, 10, None)
        return opened(engine, settings)

    return make


@pytest.fixture
def shop(make_shop: Callable[[], Shop]) -> Shop:
    """A shop without orders."""
    return make_shop()


@pytest.fixture(scope="session")
def wanted_order() -> dict[str, Any]:
    """A good order: two lamps and a mug, 44.40. Not to be changed."""
    return {
        "lines": [{"sku": "LAMP", "quantity": 2}, {"sku": "MUG", "quantity": 1}],
        "email": "ann@example.com",
        "name": "Ann Example",
        "address": {"street": "1 High Street", "city": "Leeds", "postcode": "LS1 4DY", "country": "GB"},
        "card": "tok_ok",
    }


@pytest.fixture
def wanted(wanted_order: dict[str, Any]) -> dict[str, Any]:
    """A good order of a test's own."""
    return copy.deepcopy(wanted_order)
