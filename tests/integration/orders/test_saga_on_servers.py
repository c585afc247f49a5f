"""The laws of the saga on real servers: PostgreSQL keeps the orders and their commands, a real broker carries the messages.

The relay publishes, and this process takes the messages as a worker would: read, run the task, acknowledge. Only the outside is a fake,
told what to get wrong. A worker dies by an exception that nothing catches; its channel goes with it, so RabbitMQ delivers again and
Valkey does not, which is what kombu loses at worst.
"""

import itertools
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from chassis.app import ChassisApp, make_app
from chassis.declare import declare_app
from chassis.message_checks import fault
from chassis.migrate import migrate, scripts_of
from chassis.outbox import Outcome, Work
from chassis.relay import Relay
from chassis.settings import ServiceSettings
from fakes.order_making import make_order
from fakes.orders_world import FaultyOutside
from fakes.saga_schedules import SCHEDULES, WANTED, Evidence, Move, Platform, assert_ledgers_agree, assert_mails_fit
from orders import tasks
from orders.adapters import order_rows
from orders.adapters.store import PostgresMailLog, PostgresOrderStore
from orders.domain.order import Line
from orders.domain.saga import Advance, Saga, begin, deliver
from orders.ports import Change
from orders.queues import BATCH, QUEUES, SERVICE
from orders.usecases import follow
from orders.usecases.acts import acts
from orders.usecases.labels import Labels
from orders.usecases.mails import Mails
from orders.usecases.orders import Orders
from orders.usecases.steps import Steps
from orders.usecases.upkeep import expire_reservations, reconcile
from servers import Postgres, RabbitMQ, Valkey

MIGRATIONS = scripts_of("orders.app")
LATER = timedelta(days=1)
NUMBERS = itertools.count(1)


class Killed(BaseException):
    """The worker is gone."""


@dataclass
class Servers:
    """A database, a broker, and the tasks between them; `orders` is whichever platform is being run."""

    engine: sa.Engine
    app: ChassisApp
    orders: Orders | None = None

    def __post_init__(self) -> None:
        tasks.register(self.app, self._now, {})
        self.relay = Relay(
            self.engine,
            self.app,
            exchange=SERVICE,
            declare=lambda: declare_app(self.app),
            batch=BATCH,
            messages=1000,
        )
        self.redis = self.app.settings.broker_is_redis
        self.connection = self.app.connection_for_read()
        self.channel: Any = self.connection.channel()

    def _now(self) -> Orders:
        assert self.orders is not None
        return self.orders

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.engine.begin() as conn:
            return list(conn.execute(sa.text(query), values))

    def consume(self) -> bool:
        """Take one message, run its task, acknowledge; False when there is none. A death leaves it unacknowledged."""
        for name in QUEUES:
            message = self.app.amqp.queues[name](self.channel).get(no_ack=self.redis)
            if message is None:
                continue
            assert fault(message, self.app.tasks) is None
            try:
                self.app.tasks[message.headers["task"]](**message.payload[1])
            except Killed:
                self.channel.close()
                self.channel = self.connection.channel()
                return True
            if not self.redis:
                message.ack()
            return True
        return False

    def empty(self) -> None:
        """The broker forgets every message."""
        for name in QUEUES:
            self.app.amqp.queues[name](self.channel).purge()


class ServerPlatform(Platform):
    """One order on the servers."""

    def __init__(self, servers: Servers, stock: int) -> None:
        self.servers, self.stock = servers, stock
        self.outside = FaultyOutside()
        self.order_id, self.sku = str(uuid.uuid4()), f"LAMP-{next(NUMBERS)}"
        self.dies = ""
        servers.orders = Orders(
            servers.engine,
            self._store,
            Steps(parallel=1, budget_seconds=60, attention_after_failures=2),
            acts(self.outside, self.outside, self.outside),
            Mails(self.outside, PostgresMailLog(servers.engine), domain="shop.example", budget_seconds=20),
            Labels(self.outside),
            max_attempts=100,
            observer=self._record,
        )
        servers.empty()
        first, lines = begin(), (Line(self.sku, WANTED, 250, 500),)
        order = make_order(self.order_id, first.saga, lines=lines)
        with servers.engine.begin() as conn:
            values = {"sku": self.sku, "n": stock}
            conn.execute(sa.text("INSERT INTO products VALUES (:sku, 'Lamp', 250, 'EUR')"), values)
            conn.execute(sa.text("INSERT INTO stock (sku, on_hand) VALUES (:sku, :n)"), values)
            conn.execute(order_rows.ADD, order_rows.values(order, 900))
            PostgresOrderStore(conn).put(follow.commands(self.order_id, first, {}))

    def _store(self, conn: sa.Connection) -> PostgresOrderStore:
        if self.dies == "before":
            raise Killed
        return PostgresOrderStore(conn)

    def _record(self, work: Work, outcome: Outcome) -> None:
        if self.dies == "after":
            raise Killed

    @property
    def ids(self) -> list[int]:
        return [row.id for row in self.servers.rows("SELECT id FROM outbox WHERE state = 'open' ORDER BY id")]

    @property
    def saga(self) -> Saga:
        with self.servers.engine.begin() as conn:
            return PostgresOrderStore(conn).orders([self.order_id])[self.order_id].saga

    def _publish(self, command_id: int) -> None:
        """Time passes until this command is due, and no other."""
        self.servers.rows(
            "UPDATE outbox SET due_at = now() + CASE WHEN id = :id THEN interval '0' ELSE interval '1 h' END RETURNING id",
            id=command_id,
        )
        assert self.servers.relay.round() == 1

    def perform(self, *, last: bool = False, dies: str = "") -> None:
        ids = self.ids
        if not ids:
            return
        self._publish(ids[-1 if last else 0])
        self.dies = dies
        self.servers.consume()
        self.dies = ""

    def repeat(self) -> None:
        """A message is published that no worker takes for now, so that later ones come out of turn, or twice."""
        ids = self.ids
        if ids:
            self._publish(ids[0])

    def lose_row(self) -> None:
        self.servers.rows("DELETE FROM outbox WHERE key = :key RETURNING id", key=f"{self.order_id}/{self.saga.open}")
        with self.servers.engine.begin() as conn:
            reconcile(PostgresOrderStore(conn), datetime.now(UTC) + LATER)

    def lose_message(self) -> None:
        self.repeat()
        self.servers.empty()

    def happen(self, kind: str, change: Callable[[Saga], Advance | None]) -> None:
        with self.servers.engine.begin() as conn:
            store = PostgresOrderStore(conn)
            advance = change(store.lock([self.order_id])[self.order_id])
            if advance is not None:
                store.save([Change(self.order_id, advance.saga)])
                store.put(follow.commands(self.order_id, advance, {}))
                store.note([follow.event(self.order_id, kind, advance.saga)])

    def expire(self) -> None:
        with self.servers.engine.begin() as conn:
            expire_reservations(PostgresOrderStore(conn), datetime.now(UTC) + LATER)

    def drain(self) -> None:
        for _ in range(60):
            if self.servers.consume():
                continue
            if self.ids:
                self.perform()
            elif self.saga.state == "shipped":
                self.happen("carrier.delivered", deliver)
            else:
                break
        assert self.ids == []

    def evidence(self) -> Evidence:
        with self.servers.engine.begin() as conn:
            order = PostgresOrderStore(conn).orders([self.order_id])[self.order_id]
        mine = {"id": self.order_id, "sku": self.sku}
        (level,) = self.servers.rows("SELECT on_hand, reserved FROM stock WHERE sku = :sku", **mine)
        of_mine = "WHERE order_id = CAST(:id AS uuid) ORDER BY 1"
        moves = self.servers.rows(f"SELECT id, kind FROM stock_movements {of_mine}", **mine)
        return Evidence(
            saga=order.saga,
            needs_attention=order.needs_attention,
            effects=[kind for kind, _ in self.outside.ledger],
            parcel=self.outside.parcels.get(f"T{self.order_id}"),
            stock_before=self.stock,
            free=level.on_hand - level.reserved,
            held=level.reserved,
            moved=[row.kind for row in moves],
            passed=frozenset(
                r[0] for r in self.servers.rows(f"SELECT detail->>'state' FROM timeline {of_mine}", **mine)
            ),
            told=frozenset(r[0] for r in self.servers.rows(f"SELECT kind FROM timeline {of_mine}", **mine)),
            mailed=frozenset(r[0] for r in self.servers.rows(f"SELECT kind FROM mails {of_mine}", **mine)),
        )


@pytest.fixture(scope="module", params=["rabbitmq", "valkey"])
def servers(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Servers]:
    """Both kinds of broker, each with a database of its own; shared by all schedules."""
    name = f"saga_{request.param}"
    postgres.execute(f"CREATE DATABASE {name}")
    migrate(postgres.url(name), MIGRATIONS)
    if request.param == "rabbitmq":
        rabbitmq: RabbitMQ = request.getfixturevalue("rabbitmq")
        rabbitmq.api("PUT", f"vhosts/{name}")
        broker_url = rabbitmq.url(name)
    else:
        valkey: Valkey = request.getfixturevalue("valkey")
        broker_url = valkey.url(2)
    app = make_app(SERVICE, QUEUES, ServiceSettings(broker_url=broker_url, database_url=postgres.url(name)))
    declare_app(app)
    servers = Servers(sa.create_engine(postgres.url(name)), app)
    with capture_logs():
        yield servers
    servers.connection.close()
    app.close()
    servers.engine.dispose()


# A schedule takes half a second here: what fails is shrunk in memory, where it takes a millisecond.
@settings(
    max_examples=40,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
    print_blob=True,
)
@given(schedule=SCHEDULES, stock=st.sampled_from([1, 5, 5, 5]))
def test_on_real_servers_every_schedule_ends_final_and_the_ledgers_agree(
    servers: Servers, schedule: list[Move], stock: int
) -> None:
    seen = ServerPlatform(servers, stock).run(schedule)

    event(f"{seen.saga.state}")
    assert_ledgers_agree(seen)
    assert_mails_fit(seen)
    assert seen.needs_attention is None


def test_the_straight_way_delivers(servers: Servers) -> None:
    seen = ServerPlatform(servers, 5).run([])

    assert "delivered" == seen.saga.state
    assert ["capture", "shipment", "handover"] == seen.effects
    assert {"confirmation", "shipped", "delivered"} == seen.mailed
