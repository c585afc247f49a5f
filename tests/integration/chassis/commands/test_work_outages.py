"""Commands while the database is read-only or away, and while a soft time limit ends their task: no start is counted as a death."""

import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import sqlalchemy as sa
from billiard.exceptions import SoftTimeLimitExceeded
from desk import Desk, Effect
from structlog.testing import capture_logs

from chassis import database
from chassis.outbox import Command, put
from chassis.work import LAST_SECONDS, Runner
from servers import Postgres, wait_until


@pytest.fixture
def engine(outbox_url: str) -> Iterator[sa.Engine]:
    """As every process of a service opens it."""
    made = database.connect(outbox_url)
    yield made
    made.dispose()


@contextmanager
def running(runner: Runner, ids: list[int], effect: Effect) -> Iterator[list[int]]:
    """A run in a thread that has to end with the block; what it returned."""
    returned: list[int] = []
    thread = threading.Thread(target=lambda: returned.append(runner.run(ids, effect)))
    thread.start()
    yield returned
    thread.join(20)
    assert not thread.is_alive()


def test_a_message_that_comes_while_the_database_only_reads_is_run_when_it_writes_again(
    desk: Desk, engine: sa.Engine, postgres: Postgres
) -> None:
    ids, effect = desk.issue("a", "b"), Effect()
    with capture_logs() as logs:
        with postgres.read_only():
            run = running(Runner(engine), ids, effect)
            returned = run.__enter__()
            wait_until(lambda: bool(logs), what="a runner that waits")
        run.__exit__(None, None, None)

    assert ([2], [], [["a", "b"]]) == (returned, desk.keys(), effect.calls)
    assert [("database_waited_for", "warning"), ("database_back", "info")] == [
        (line["event"], line["log_level"]) for line in logs
    ]


def test_a_database_that_only_reads_when_an_effect_is_recorded_costs_one_more_try(
    desk: Desk, engine: sa.Engine, postgres: Postgres
) -> None:
    ids = desk.issue("a")
    only_reads = postgres.read_only()
    waits = threading.Event()

    def turn(_: sa.Connection) -> None:
        # The transaction that holds the row goes on writing; a new one cannot.
        only_reads.__enter__()
        raise sa.exc.OperationalError("", {}, Exception("the connection broke"), connection_invalidated=True)

    with capture_logs() as logs, running(Runner(engine), ids, Effect(also=turn)) as returned:
        wait_until(lambda: any(line["event"] == "database_waited_for" for line in logs), what="a runner that waits")
        only_reads.__exit__(None, None, None)
        waits.set()

    row = desk.row("a")
    assert ([1], "open", 0, 0, True) == (returned, row.state, row.attempts, row.issued, row.begun)
    assert [] == desk.parked()


def test_a_message_that_comes_while_the_database_is_away_is_run_when_it_is_back(
    desk: Desk, engine: sa.Engine, postgres: Postgres
) -> None:
    ids, effect = desk.issue("a"), Effect()
    desk.engine.dispose()
    postgres.stop()
    try:
        with capture_logs() as logs, running(Runner(engine), ids, effect) as returned:
            wait_until(lambda: bool(logs), what="a runner that waits")
            postgres.start()
    finally:
        if postgres.process is None:
            postgres.start()

    assert ([1], []) == (returned, desk.keys())


def test_an_effect_whose_database_restarts_is_tried_again_without_a_death(
    desk: Desk, engine: sa.Engine, postgres: Postgres
) -> None:
    ids = desk.issue("a")

    def restart(conn: sa.Connection) -> None:
        desk.engine.dispose()
        postgres.stop()
        postgres.start()
        conn.execute(sa.text("SELECT 1"))

    assert 1 == Runner(engine).run(ids, Effect(also=restart))
    row = desk.row("a")
    assert ("open", 0, True) == (row.state, row.attempts, row.begun)


def test_a_soft_limit_at_any_moment_is_a_retry_and_never_a_death(desk: Desk, engine: sa.Engine) -> None:
    dice = random.Random(7)
    runner = Runner(engine)
    armed: list[bool] = []

    def work(conn: sa.Connection) -> None:
        for _ in range(3):
            conn.execute(sa.text("SELECT pg_sleep(0.001), CAST(:n AS int)"), {"n": 1})

    def told(*_: Any) -> None:
        if armed:
            armed.clear()
            raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, told)
    try:
        for n in range(200):
            ids = desk.issue(str(n))
            with suppress(SoftTimeLimitExceeded):  # after the run itself
                armed.append(True)
                signal.setitimer(signal.ITIMER_REAL, dice.uniform(0.0001, 0.015))
                runner.run(ids, Effect(also=work))
                armed.clear()
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)

    cut = desk.rows("SELECT attempts FROM outbox WHERE last_error = 'soft time limit passed'")
    assert ([], [], True) == (desk.parked(), desk.rows("SELECT * FROM outbox WHERE attempts > 0"), len(cut) > 10)


def test_a_soft_limit_while_the_database_only_reads_is_not_waited_out_until_the_hard_one(
    desk: Desk, engine: sa.Engine, postgres: Postgres
) -> None:
    ids = desk.issue("a")
    only_reads = postgres.read_only()

    def turn(_: sa.Connection) -> None:
        only_reads.__enter__()
        raise SoftTimeLimitExceeded

    began = time.monotonic()
    try:
        ended = Runner(engine).run(ids, Effect(also=turn))
        took_seconds = time.monotonic() - began
    finally:
        only_reads.__exit__(None, None, None)

    assert (0, []) == (ended, desk.parked())
    assert took_seconds < LAST_SECONDS + 2


def test_a_statement_that_a_soft_limit_ends_leaves_a_usable_connection(engine: sa.Engine) -> None:
    def told(*_: Any) -> None:
        raise SoftTimeLimitExceeded

    with engine.connect() as conn:
        own = conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    before = signal.signal(signal.SIGALRM, told)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(SoftTimeLimitExceeded), engine.begin() as conn:
            conn.execute(sa.text("SELECT pg_sleep(20)"))
    finally:
        signal.signal(signal.SIGALRM, before)
    with engine.connect() as conn:
        running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(20)%' AND state = 'active'"
        left, now = (
            conn.execute(sa.text(running)).scalar_one(),
            conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one(),
        )

    assert (0, own) == (left, now)


def test_what_another_worker_has_started_is_not_given_back(desk: Desk, engine: sa.Engine) -> None:
    ids = desk.issue("a")
    desk.die(ids)
    desk.die(ids)

    class Cut(Runner):
        def _start(self, ids: Any) -> Any:
            raise SoftTimeLimitExceeded

    assert 0 == Cut(engine).run(ids, Effect())
    assert (2, 1) == (desk.row("a").attempts, desk.row("a").issued)


def test_a_command_that_was_put_before_an_outage_is_still_there(
    desk: Desk, engine: sa.Engine, postgres: Postgres
) -> None:
    desk.put("a")
    with postgres.read_only(), pytest.raises(sa.exc.DBAPIError) as error, engine.begin() as conn:
        put(conn, [Command("b", "shop.count", "shop.till", {})])
    with engine.begin() as conn:
        put(conn, [Command("c", "shop.count", "shop.till", {})])

    assert (True, ["a", "c"]) == (error.value.connection_invalidated, desk.keys())
