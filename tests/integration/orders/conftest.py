"""The API in this process over a real PostgreSQL, with a catalogue of two products."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from chassis import database
from chassis.migrate import migrate
from orders import adapters
from orders.adapters.intake_store import PostgresIntakeStore
from orders.api import make_api
from orders.domain.order import Product
from orders.settings import Settings

MIGRATIONS = Path(adapters.__file__).parent / "migrations"
TOKENS = '{"ann-token": {"customer": "ann"}, "bob-token": {"customer": "bob"}, "op-token": {"role": "operator"}}'
SECRET = "carrier-secret"


@dataclass
class Shop:
    """The API, its database, and clients for everybody who may come."""

    engine: sa.Engine
    settings: Settings
    app: FastAPI

    def client(self, token: str | None = None) -> TestClient:
        """A client with this token; a 500 is an answer, not an exception."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return TestClient(self.app, headers=headers, raise_server_exceptions=False)

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
        return make_shop(self.engine, self.settings.replace(**settings))


def make_shop(engine: sa.Engine, settings: Settings) -> Shop:
    app = make_api(PostgresIntakeStore(engine), settings=settings, registry=CollectorRegistry())
    return Shop(engine, settings, app)


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """An open shop: LAMP costs 19.95, MUG 4.50; ten of each."""
    migrate(database_url, MIGRATIONS)
    settings = Settings(
        database_url=database_url,
        broker_url="redis://127.0.0.1:1/0",
        api_tokens=TOKENS,
        carrier_secret=SECRET,
        _env_file=None,
    )
    engine = database.connect(database_url, pool_size=settings.api_threads, statement_timeout_seconds=3)
    store = PostgresIntakeStore(engine)
    for product in (Product("LAMP", "Lamp", 1995, "EUR"), Product("MUG", "Mug", 450, "EUR")):
        with store.begin() as tx:
            tx.put_product(product)
            tx.restock(product.sku, 10, None)
    yield make_shop(engine, settings)
    engine.dispose()


@pytest.fixture
def wanted() -> dict[str, Any]:
    """A good order: two lamps and a mug, 44.40."""
    return {
        "lines": [{"sku": "LAMP", "quantity": 2}, {"sku": "MUG", "quantity": 1}],
        "email": "ann@example.com",
        "name": "Ann Example",
        "address": {"street": "1 High Street", "city": "Leeds", "postcode": "LS1 4DY", "country": "GB"},
        "card": "tok_ok",
    }
