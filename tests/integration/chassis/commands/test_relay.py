"""The relay: what is published, when, and when again. On both brokers."""

import itertools
import statistics
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from desk import Desk, Effect, without_indexes
from kombu.exceptions import OperationalError as BrokerError
from post import Post
from structlog.testing import capture_logs

from chassis import relay as relays
from chassis.declare import declare_app
from chassis.outbox import Retry
from chassis.relay import Relay
from servers import wait_until


@pytest.fixture
def post(outbox_url: str, desk: Desk, broker_url: str) -> Iterator[Post]:
    """A relay's surroundings, with the topology declared."""
    post = Post(outbox_url, broker_url)
    declare_app(post.app)
    yield post
    post.close()


def make_due(desk: Desk) -> None:
    """Time passes until every lease is over."""
    desk.run("UPDATE outbox SET due_at = now()")


def test_a_due_command_goes_to_its_queue_as_its_id(desk: Desk, post: Post) -> None:
    first, second = desk.put("a"), desk.put("b", task="shop.pack", queue="shop.stock")

    assert 2 == post.relay().round()
    assert [("shop.count", first)] == post.taken("shop.till")
    assert [("shop.pack", second)] == post.taken("shop.stock")


def test_a_message_says_its_version(desk: Desk, post: Post) -> None:
    ids = desk.put("a")

    post.relay().round()

    assert {"v": 1, "ids": ids} == post.take().payload[1]


def test_what_is_not_due_stays(desk: Desk, post: Post) -> None:
    desk.put("later", delay_seconds=60)
    desk.put("parked")
    desk.run("UPDATE outbox SET state = 'parked' WHERE key = 'parked'")

    assert 0 == post.relay().round()
    assert [] == post.taken()


def test_commands_of_a_task_share_messages_of_its_batch_size(desk: Desk, post: Post) -> None:
    counts, packs = desk.put("a", "b", "c", "d", "e"), desk.put("p", "q", "r", task="shop.pack")

    assert 8 == post.relay(batch={"shop.count": 3, "shop.pack": 2}).round()

    expected = [
        ("shop.count", counts[:3]),
        ("shop.count", counts[3:]),
        ("shop.pack", packs[:2]),
        ("shop.pack", packs[2:]),
    ]
    assert expected == sorted((task, sorted(ids)) for task, ids in post.taken())


def test_a_published_command_is_not_published_again_within_its_lease(desk: Desk, post: Post) -> None:
    desk.put("a")
    relay = post.relay()
    relay.round()

    assert 0 == relay.round()
    assert 1 == desk.row("a").issued
    assert 25 < desk.row("a").due_in <= 30


def test_the_lease_doubles_with_every_repeat_up_to_a_limit(desk: Desk, post: Post) -> None:
    desk.put("a")
    leases = []
    for _ in range(9):
        make_due(desk)
        assert 1 == post.relay().round()
        leases.append(round(desk.row("a").due_in / 30))

    assert [1, 2, 4, 8, 16, 32, 64, 64, 64] == leases


def test_a_retry_starts_with_a_short_lease_again(desk: Desk, post: Post) -> None:
    ids = desk.issue("a")
    desk.run("UPDATE outbox SET issued = 5")
    desk.runner().run(ids, Effect({"a": Retry(0, "busy")}))

    post.relay().round()

    assert 25 < desk.row("a").due_in <= 30


def test_the_mark_is_committed_before_the_message_goes_out(
    desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("a")
    relay = post.relay()
    issued: list[int] = []
    monkeypatch.setattr(relay, "_publish", lambda *_: issued.append(desk.row("a").issued))

    relay.round()

    assert [1] == issued


def test_the_mark_does_not_wait_for_the_disk(desk: Desk, post: Post) -> None:
    desk.put("a")
    found: list[str] = []
    sa.event.listen(
        post.engine, "commit", lambda conn: found.append(conn.exec_driver_sql("SHOW synchronous_commit").scalar_one())
    )

    post.relay().round()

    assert ["off"] == found


def test_two_relays_never_publish_the_same_command(desk: Desk, post: Post) -> None:
    desk.put("a", "b", "c")
    other = post.relay()
    found: list[int] = []

    def meanwhile(_: Any) -> None:
        if not found:
            found.append(-1)
            found.append(other.round())

    sa.event.listen(post.engine, "commit", meanwhile)

    assert (3, [-1, 0]) == (post.relay().round(), found)
    assert 2 == len(post.taken())


@pytest.mark.parametrize("connected", [False, True])
def test_what_the_broker_lost_is_published_again_after_its_lease(desk: Desk, post: Post, connected: bool) -> None:
    ids = desk.put("a")
    relay = post.relay()
    relay.round()
    post.lose_everything()
    if not connected:
        relay = post.relay()
    make_due(desk)

    assert 1 == relay.round()
    assert [("shop.count", ids)] == post.taken()
    assert 1 == post.declared


def test_a_first_publication_declares_nothing(desk: Desk, post: Post) -> None:
    desk.put("a")

    post.relay().round()

    assert 0 == post.declared


def test_a_command_that_is_new_when_the_broker_lost_everything_gets_through(desk: Desk, post: Post) -> None:
    desk.put("old")
    relay = post.relay(lease_seconds=0.5)
    relay.round()
    post.lose_everything()
    ids = desk.put("new")

    with post.running(relay):
        wait_until(lambda: post.declared > 0, what="the topology to be declared anew")
        post.wait_for()
    assert ids[0] in {row.id for row in desk.rows("SELECT id FROM outbox WHERE issued > 0")}


@pytest.fixture
def doubted(desk: Desk, outbox_url: str, rabbitmq_url: str) -> Iterator[tuple[Post, Relay]]:
    """RabbitMQ lost everything, and a relay that worked until then has noticed by a command that is new (Valkey tells nobody)."""
    post = Post(outbox_url, rabbitmq_url)
    declare_app(post.app)
    relay = post.relay()
    desk.put("old")
    relay.round()
    post.lose_everything()
    desk.put("new")
    with pytest.raises(BrokerError):
        relay.round()
    yield post, relay
    post.close()


def test_what_no_exchange_took_is_published_after_a_declaration(desk: Desk, doubted: tuple[Post, Relay]) -> None:
    post, relay = doubted
    desk.run("UPDATE outbox SET due_at = now() WHERE key = 'new'")

    assert 1 == relay.round()
    assert [("shop.count", [desk.row("new").id])] == post.taken()


def test_a_broker_that_is_whole_again_is_trusted_again(desk: Desk, doubted: tuple[Post, Relay]) -> None:
    post, relay = doubted
    desk.run("UPDATE outbox SET due_at = now() WHERE key = 'new'")
    relay.round()
    desk.put("newer")

    assert (1, 1) == (relay.round(), post.declared)


def test_a_broker_in_doubt_is_left_alone_while_nothing_is_due(desk: Desk, doubted: tuple[Post, Relay]) -> None:
    post, relay = doubted

    assert (0, 0) == (relay.round(), post.declared)


def test_only_a_repeat_is_logged_as_one(desk: Desk, post: Post) -> None:
    relay = post.relay()
    with capture_logs() as logs:
        desk.put("a", "b")
        relay.round()
        make_due(desk)
        desk.put("c")
        relay.round()

    assert [("reissued", 2)] == [(line["event"], line["commands"]) for line in logs]


def test_a_delayed_retry_is_published_a_quarter_of_a_second_late_at_most(
    desk: Desk, post: Post, record_property: Any
) -> None:
    late = []
    with post.running(post.relay(messages=99)):
        for n in range(9):
            desk.put(f"r{n}", delay_seconds=0.2)
            (due,) = desk.rows("SELECT extract(epoch FROM created_at)::float + 0.2 AS at FROM outbox WHERE issued = 0")
            late.append(post.wait_for() - due.at)

    record_property("median_late_ms", round(1000 * statistics.median(late), 1))
    assert statistics.median(late) <= 0.25


# How much goes out at a time.


def test_only_so_many_messages_of_a_queue_are_under_way(desk: Desk, post: Post) -> None:
    desk.put(*(f"c{n}" for n in range(9)))
    relay = post.relay(messages=2)

    assert [4, 0] == [relay.round(), relay.round()]


def test_an_outcome_makes_room_for_the_next_message(desk: Desk, post: Post) -> None:
    ids = desk.put(*(f"c{n}" for n in range(9)))
    relay = post.relay(messages=2)
    relay.round()
    desk.runner().run(ids[:2], Effect())

    assert 2 == relay.round()


def test_a_retry_makes_room_for_the_next_message(desk: Desk, post: Post) -> None:
    ids = desk.put(*(f"c{n}" for n in range(9)))
    relay = post.relay(messages=2)
    relay.round()
    desk.runner().run(ids[:2], Effect({f"c{n}": Retry(60, "busy") for n in range(2)}))

    assert 2 == relay.round()


def test_a_lease_that_ran_out_makes_room(desk: Desk, post: Post) -> None:
    desk.put(*(f"c{n}" for n in range(4)))
    relay = post.relay(messages=2)
    relay.round()
    make_due(desk)

    assert 4 == relay.round()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The relay's clock: its only item is the time in seconds."""
    now = [1000.0]
    monkeypatch.setattr(relays, "monotonic", lambda: now[0])
    return now


def test_after_a_queue_was_sent_all_its_next_commands_gather(desk: Desk, post: Post, clock: list[float]) -> None:
    relay = post.relay(gather_seconds=0.1)
    desk.put("a")
    assert 1 == relay.round()

    together = desk.put("b", "c")
    clock[0] += 0.099
    assert 0 == relay.round()
    clock[0] += 0.001

    assert 2 == relay.round()
    assert ("shop.count", together) in post.taken()


def test_a_command_of_another_queue_is_not_kept_by_it(desk: Desk, post: Post, clock: list[float]) -> None:
    relay = post.relay(gather_seconds=0.1)
    desk.put("a")
    relay.round()
    desk.put("b", queue="shop.stock")

    assert 1 == relay.round()


def test_a_queue_that_is_behind_gathers_nothing(desk: Desk, post: Post, clock: list[float]) -> None:
    relay = post.relay(gather_seconds=0.1, messages=2, default_batch=1)
    first, *_ = desk.put("a", "b", "c")
    assert 2 == relay.round()
    desk.runner().run([first], Effect())

    assert 1 == relay.round()


def test_a_full_queue_does_not_hold_up_the_others(desk: Desk, post: Post) -> None:
    desk.put(*(f"c{n}" for n in range(9)))
    relay = post.relay(messages=2)
    relay.round()
    desk.put("p", queue="shop.stock")

    assert 1 == relay.round()


def test_a_queue_with_more_messages_than_it_may_have_waits(desk: Desk, post: Post) -> None:
    desk.put(*(f"c{n}" for n in range(9)))
    relay = post.relay(messages=1, batch={"shop.count": 1, "shop.pack": 3})

    assert [3, 0] == [relay.round(), relay.round()]


def test_no_queue_is_overlooked_whichever_way_the_rows_are_found(
    desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_indexes(post.engine)
    for queue in ("shop.a", "shop.z", "shop.b"):
        desk.put(queue, queue=queue)
    relay = post.relay()
    served: list[str] = []
    monkeypatch.setattr(relay, "_publish", lambda _, envelope: served.append(envelope.queue))

    assert 3 == relay.round()
    assert ["shop.a", "shop.b", "shop.z"] == sorted(served)


def test_the_oldest_go_first_whichever_way_the_rows_are_found(desk: Desk, post: Post) -> None:
    without_indexes(post.engine)
    desk.put(*(f"c{n}" for n in range(6)))
    desk.run("UPDATE outbox SET due_at = due_at - interval '1 min' WHERE key IN ('c4', 'c5')")

    post.relay(messages=1).round()

    assert [0, 0, 0, 0, 1, 1] == [row.issued for row in desk.rows("SELECT issued FROM outbox ORDER BY key")]


def test_a_relay_without_work_looks_seldom_until_there_is_some(desk: Desk, post: Post) -> None:
    at = post.heartbeat.at

    def gap(count: int) -> float:
        """The shortest time of the last few rounds from one to the next."""
        return min(b - a for a, b in itertools.pairwise(at[-count:]))

    with post.running(post.relay(interval_seconds=0.001)):
        wait_until(lambda: len(at) > 110, what="rounds without work")
        seldom = gap(5)
        desk.put("a")
        post.wait_for()
        rounds = len(at)
        wait_until(lambda: len(at) > rounds + 20, what="rounds after some")
        often = gap(20)

    assert often < 0.1 <= seldom
