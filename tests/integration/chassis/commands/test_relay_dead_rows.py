"""While somebody's transaction stays open, what a round costs follows what is open, not what was ever done."""

import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from desk import Desk
from post import Post

from chassis.declare import declare_app
from chassis.relay import Relay
from chassis.watermarks import FULL_LOOK_SHARE
from servers import wait_until

DONE = 60_000


@pytest.fixture
def old_transaction(desk: Desk) -> Iterator[None]:
    """A dump, say: nothing that is deleted from now on can be removed."""
    engine = sa.create_engine(desk.url, isolation_level="REPEATABLE READ", poolclass=sa.NullPool)
    with engine.connect() as conn:
        conn.execute(sa.text("SELECT count(*) FROM outbox"))
        yield


@pytest.fixture
def post(outbox_url: str, redis_url: str) -> Iterator[Post]:
    made = Post(outbox_url, redis_url)
    declare_app(made.app)
    yield made
    made.close()


def do_many(desk: Desk) -> None:
    """Commands that were put, published and done over the last hour."""
    desk.run(
        """INSERT INTO outbox (key, task, queue, body, due_at)
        SELECT 'done-' || n, 'shop.count', CASE n % 2 WHEN 0 THEN 'shop.till' ELSE 'shop.stock' END, '{}', now() - interval '1 h'
        FROM generate_series(1, :done) n""",
        done=DONE,
    )
    desk.run("UPDATE outbox SET due_at = due_at + interval '30 s', issued = 1")
    desk.run("DELETE FROM outbox")


def dead_rows(desk: Desk) -> int:
    """Deleted rows of the table that a transaction may still see, as VACUUM counts them."""
    said: list[str] = []
    engine = sa.create_engine(desk.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as conn:
        psycopg_connection: Any = conn.connection.driver_connection
        psycopg_connection.add_notice_handler(lambda notice: said.append(notice.message_primary))
        conn.execute(sa.text("VACUUM (VERBOSE) outbox"))
    # The table first, then what holds its large values.
    return int(re.findall(r"([0-9]+) are dead but not yet removable", "".join(said))[0])


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def usual_round(relay: Relay) -> float:
    """The lower quartile, because other processes of a busy machine lengthen the rounds above it."""
    return statistics.quantiles((timed(relay.round) for _ in range(41)), n=4)[0]


def test_a_round_costs_what_it_did_before(desk: Desk, post: Post, old_transaction: None) -> None:
    before = usual_round(post.relay())
    do_many(desk)
    relay = post.relay()
    relay.round()  # looks at all
    after = usual_round(relay)

    sys.stdout.write(f"a round: {before * 1e3:.2f} ms, later {after * 1e3:.2f} ms\n")
    assert dead_rows(desk) > DONE
    assert after < 3 * before


def test_a_command_goes_out_in_the_next_round_and_a_late_one_with_the_next_full_look(
    desk: Desk, post: Post, old_transaction: None
) -> None:
    do_many(desk)
    relay = post.relay()
    whole = timed(relay.round)
    desk.put("a")
    next_round = relay.round()
    desk.run(
        "INSERT INTO outbox (key, task, queue, body, due_at) VALUES ('b', 't', 'shop.till', '{}', now() - interval '1 min')"
    )
    began, rounds = time.monotonic(), 0
    while not relay.round():
        rounds += 1
        assert time.monotonic() - began < 5 * whole / FULL_LOOK_SHARE

    assert (1, True) == (next_round, rounds > 0)


def test_a_queue_of_another_release_is_found(desk: Desk, post: Post) -> None:
    relay = post.relay()
    relay.round()
    desk.put("a", queue="shop.later")

    wait_until(lambda: relay.round() == 1, what="a full look that finds it", poll_seconds=0.001)
