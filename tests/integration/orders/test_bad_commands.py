"""Messages and commands that no orders worker can make sense of, on both brokers: parked or ignored with a reason, and a good one
behind them is performed."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chassis import outbox
from chassis.app import ChassisApp, make_app
from chassis.declare import declare_app
from chassis.migrate import migrate, scripts_of
from chassis.outbox import Command
from chassis.settings import ServiceSettings
from fakes.order_making import make_order, saga_before
from orders.adapters import order_rows
from orders.domain.saga import Step
from orders.queues import PAYMENTS, QUEUES, SERVICE
from orders.usecases import follow
from servers import die_with_parent, wait_until

MIGRATIONS = scripts_of("orders.app")
NOBODY = str(uuid.UUID(int=0))
TAKE = "orders.take_payment"
HUGE = "x" * 3_000_000


@dataclass
class Pool:
    """A worker of the payments pool, its database, and the way to its queue."""

    engine: sa.Engine
    app: ChassisApp
    process: subprocess.Popen[bytes]
    log: Path

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.engine.begin() as conn:
            return list(conn.execute(sa.text(query), values))

    def place(self) -> str:
        """An order that is to be paid, and its command; the order's id."""
        order = make_order(str(uuid.uuid4()), saga_before(Step.TAKE_PAYMENT))
        with self.engine.begin() as conn:
            conn.execute(order_rows.ADD, order_rows.values(order, 900))
            outbox.put(conn, [follow.step_command(order.id, Step.TAKE_PAYMENT, {})])
        return order.id

    def put(self, key: str, body: dict[str, Any], task: str = TAKE) -> None:
        with self.engine.begin() as conn:
            outbox.put(conn, [Command(key, task, PAYMENTS, body)])

    def send_all(self, *, batch: bool) -> None:
        """What the relay would: all open commands, in one message or one each."""
        ids = [row.id for row in self.rows("UPDATE outbox SET issued = 1, due_at = now() + '1 h' RETURNING id")]
        for part in [ids] if batch else [[i] for i in ids]:
            self.send(TAKE, v=1, ids=part)

    def send(self, task: str, **kwargs: Any) -> None:
        self.app.send_task(task, kwargs=kwargs, queue=PAYMENTS)

    def wait_until_paid(self, order_id: str) -> None:
        query = "SELECT state FROM orders WHERE id = CAST(:id AS uuid)"
        wait_until(lambda: self.rows(query, id=order_id)[0].state == "paid", what="the good order to be paid")

    def parked(self) -> dict[str, tuple[str, str]]:
        """Reason and detail by key (or task, when there is no key)."""
        found = self.rows("SELECT coalesce(key, task) AS name, reason, detail FROM parked")
        return {row.name: (row.reason, row.detail) for row in found}


@pytest.fixture
def pool(database_url: str, broker_url: str, tmp_path: Path) -> Iterator[Pool]:
    """A running worker whose outside answers at once."""
    migrate(database_url, MIGRATIONS)
    app = make_app(SERVICE, QUEUES, ServiceSettings(broker_url=broker_url, database_url=database_url))
    declare_app(app)
    environment = {
        **os.environ, "DATABASE_URL": database_url, "BROKER_URL": broker_url, "OUTSIDE": "instant",
        "HEARTBEAT_FILE": str(tmp_path / "heartbeat"), "MAX_ATTEMPTS": "2",
    }  # fmt: skip
    command = [
        sys.executable, "-m", "celery", "--app", "orders.app:app", "worker", "--queues", PAYMENTS, "--concurrency", "1",
        "--pool", "solo", "--hostname", "payments@test", "--without-gossip", "--without-mingle", "--prefetch-multiplier", "1",
        "--time-limit", "20", "--soft-time-limit", "10", *(["--disable-prefetch"] if broker_url.startswith("redis") else []),
    ]  # fmt: skip
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, preexec_fn=die_with_parent)
    engine = sa.create_engine(database_url)
    try:
        yield Pool(engine, app, process, log)
    finally:
        process.terminate()
        process.wait(20)
        app.close()
        engine.dispose()


BAD_BODIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a-newer-version": {"v": 2, "order": NOBODY},
    "no-order": {"v": 1},
    "an-order-that-is-a-number": {"v": 1, "order": 7},
    "an-order-that-is-no-uuid": {"v": 1, "order": "o-1"},
    "huge": {"v": 1, "order": HUGE},
}


@pytest.mark.parametrize("batch", [False, True])
def test_a_command_that_cannot_be_read_is_parked_and_the_good_one_is_performed(pool: Pool, batch: bool) -> None:
    for key, body in BAD_BODIES.items():
        pool.put(key, body)
    good = pool.place()

    pool.send_all(batch=batch)
    pool.wait_until_paid(good)

    assert {*BAD_BODIES} == {*pool.parked()}
    assert {"permanent", "bug"} >= {reason for reason, _ in pool.parked().values()}
    assert all(detail for _, detail in pool.parked().values())


def test_a_command_of_an_order_that_does_not_exist_is_done(pool: Pool) -> None:
    pool.put("lost", {"v": 1, "order": NOBODY})
    good = pool.place()

    pool.send_all(batch=True)
    pool.wait_until_paid(good)

    assert [] == pool.rows("SELECT FROM outbox WHERE key = 'lost'")
    assert {} == pool.parked()


def test_messages_about_nothing_are_acknowledged_and_the_good_one_is_performed(pool: Pool) -> None:
    good = pool.place()

    pool.send(TAKE, v=1, ids=[])
    pool.send(TAKE, v=1, ids=[10**9, 2**62])
    pool.send(TAKE, v=1, ids=list(range(10**9, 10**9 + 9_000)))
    pool.send_all(batch=True)
    pool.wait_until_paid(good)

    assert {} == pool.parked()


STRANGE: list[dict[str, Any]] = [
    {"v": 1, "ids": "all"},
    {"v": 1, "ids": [HUGE]},
    {"v": 2, "ids": [10**9]},
    {"v": 1, "ids": [10**9], "x": HUGE},
    {"v": 1, "ids": list(range(10**9, 10**9 + 200_000))},
]


def test_messages_that_no_version_of_ours_sent_are_parked_and_the_good_one_is_performed(pool: Pool) -> None:
    good = pool.place()

    for kwargs in STRANGE:
        pool.send(TAKE, **kwargs)
    pool.send_all(batch=True)
    pool.wait_until_paid(good)

    assert [(TAKE, "malformed")] * len(STRANGE) == [tuple(r) for r in pool.rows("SELECT task, reason FROM parked")]
