"""Parked work: collected from dead letters, listed, replayed, dropped, and every act written down."""

import json
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from kombu.message import Message
from sqlalchemy.exc import OperationalError

from chassis import outbox, parked
from chassis.dead_letters import collect_dead_letters
from chassis.declare import declare_app
from chassis.message_checks import Fault
from chassis.outbox import Command
from chassis.parking import Choice, Parking, engine_for, park_message
from servers import Postgres, wait_until


def parked_command(shop: Any, key: str = "k1", reason: str = "poison") -> None:
    """An outbox command that was given up."""
    with engine_for(shop.database_url).begin() as conn:
        outbox.put(conn, [Command(key=key, task="shop.reserve", queue="shop.till", body={"n": 1})])
        found = conn.execute(
            sa.text("UPDATE outbox SET issued = 3, attempts = 6 WHERE key = :key RETURNING id"), {"key": key}
        )
        outbox.finish(conn, {found.scalar_one(): outbox.Park(reason, "died six times")})


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in this process, on a shop's app."""

    def act(shop: Any, *arguments: str) -> Done:
        monkeypatch.setitem(sys.modules, "shop_of_this_test", SimpleNamespace(app=shop.app()))
        capsys.readouterr()
        try:
            code = parked.main(["parked", "shop_of_this_test", *arguments, "--actor", "ann"])
        except SystemExit as end:
            code = int(str(end.code))
        return Done(code, *capsys.readouterr())

    return act


def test_the_command_is_a_program(rabbit_shop: Any) -> None:
    parked_command(rabbit_shop)
    command = [sys.executable, "-m", "chassis.parked", "shop", "list"]

    done = subprocess.run(command, env=rabbit_shop.environment, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.endswith("1 parked\n")


def audit(shop: Any) -> list[tuple[str, str]]:
    return [tuple(row) for row in shop.rows("SELECT actor, act FROM parked_audit ORDER BY id")]


def dead_letter(shop: Any, task: str = "shop.note", **kwargs: Any) -> None:
    """A message that RabbitMQ gave up on."""
    app = shop.app()
    declare_app(app)
    app.send_task(task, kwargs=kwargs)
    with app.connection_for_read() as connection:
        channel = connection.channel()
        message = app.amqp.queues["shop.till"](channel).get()
        message.reject()
        wait_until(
            lambda: channel.queue_declare("shop.till.dead", passive=True).message_count > 0, what="a dead letter"
        )


def test_dead_letters_are_parked_with_the_brokers_reason(rabbit_shop: Any) -> None:
    dead_letter(rabbit_shop, text="dead")

    collected = collect_dead_letters(rabbit_shop.app())

    row = rabbit_shop.rows("SELECT reason, task, queue, body, detail FROM parked")[0]
    assert collected == 1
    assert tuple(row) == ("dead_letter", "shop.note", "shop.till", {"text": "dead"}, "rejected in shop.till, 1 times")


def test_collecting_again_finds_nothing(rabbit_shop: Any) -> None:
    dead_letter(rabbit_shop)
    collect_dead_letters(rabbit_shop.app())

    assert collect_dead_letters(rabbit_shop.app()) == 0


def test_a_dead_letter_stays_where_it_is_while_the_database_is_away(rabbit_shop: Any, postgres: Postgres) -> None:
    dead_letter(rabbit_shop)

    postgres.stop()
    try:
        with pytest.raises(OperationalError):
            collect_dead_letters(rabbit_shop.app())
    finally:
        postgres.start()

    assert collect_dead_letters(rabbit_shop.app()) == 1


def test_collecting_stops_at_its_limit(rabbit_shop: Any) -> None:
    for _ in range(2):
        dead_letter(rabbit_shop)

    assert collect_dead_letters(rabbit_shop.app(), limit=1) == 1


def test_entries_of_a_list_that_are_no_messages_are_parked_byte_by_byte(shop_on: Any, redis_url: str) -> None:
    import redis

    shop = shop_on(redis_url)
    with redis.Redis.from_url(redis_url) as client:
        for entry in (b"garbage", b"\xff", b"garbage"):
            client.lpush("shop.stock.dead", entry)

        assert collect_dead_letters(shop.app()) == 3
        assert client.keys("*") == []
    assert [row.body for row in shop.rows("SELECT body FROM parked ORDER BY id")] == [
        {"raw": "Z2FyYmFnZQ=="},
        {"raw": "/w=="},
    ]


def test_a_dead_letter_of_outbox_commands_parks_the_commands(rabbit_shop: Any) -> None:
    with engine_for(rabbit_shop.database_url).begin() as conn:
        outbox.put(conn, [Command(key="k", task="shop.reserve", queue="shop.till", body={})])
    command = rabbit_shop.rows("UPDATE outbox SET issued = 1 RETURNING id")[0].id
    dead_letter(rabbit_shop, "shop.reserve", v=1, ids=[command])

    collect_dead_letters(rabbit_shop.app())

    assert [tuple(r) for r in rabbit_shop.rows("SELECT key, reason FROM parked")] == [("k", "dead_letter")]


def park_body(shop: Any, body: str | bytes, headers: dict[str, str]) -> None:
    """Park a message as it came from a broker."""
    message = Message(
        body, content_type="application/json", content_encoding="utf-8", headers=headers, accept={"application/json"}
    )
    park_message(shop.database_url, message, queue="shop.till", found=Fault("malformed", "no reason"))


def test_a_message_delivered_twice_is_parked_once(rabbit_shop: Any) -> None:
    for _ in range(2):
        park_body(rabbit_shop, '[[], {"text": "x"}, {}]', {"task": "shop.note", "id": "same"})

    assert len(rabbit_shop.parked()) == 1


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ('[[], {"text": "x"}, {}]', {"text": "x"}),
        ('[[1], {"text": "x"}, {}]', {"raw": "W1sxXSwgeyJ0ZXh0IjogIngifSwge31d"}),
        ("{", {"raw": "ew=="}),
        (b"\xff", {"raw": "/w=="}),
        ('[[], {"ids": "all"}, {}]', {"ids": "all"}),
        ('[[], {"ids": [4711]}, {}]', {"ids": [4711]}),
    ],
    ids=["arguments by name", "by position", "unreadable", "no text", "ids that are none", "ids of no command"],
)
def test_a_message_is_parked_with_all_that_it_said(rabbit_shop: Any, body: str | bytes, kept: Any) -> None:
    park_body(rabbit_shop, body, {"task": "shop.note", "id": "i"})

    assert [(None, "shop.note", kept)] == [tuple(row) for row in rabbit_shop.rows("SELECT key, task, body FROM parked")]


def test_a_message_that_names_no_task_is_parked_without_one(rabbit_shop: Any) -> None:
    park_body(rabbit_shop, "[[], {}, {}]", {})

    assert rabbit_shop.parked() == [("malformed", "?")]


def test_replaying_a_command_opens_it_again_as_if_new(rabbit_shop: Any, run: Any) -> None:
    parked_command(rabbit_shop)

    done = run(rabbit_shop, "replay", "--all")

    row = rabbit_shop.rows("SELECT state, attempts, failures, issued, due_at <= now() AS due FROM outbox")[0]
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 replayed")
    assert tuple(row) == ("open", 0, 0, 0, True)
    assert rabbit_shop.parked() == []


def test_replaying_a_message_runs_it(shop: Any, run: Any) -> None:
    shop.worker(pool="solo")
    with engine_for(shop.database_url).begin() as conn:
        Parking("test").park(conn, queue="shop.till", task="shop.note", body={"text": "again"}, reason="bug")

    run(shop, "replay", "--all")
    wait_until(lambda: shop.acts() == ["again"], what="the message")

    assert shop.parked() == []


def test_replaying_an_unreadable_message_publishes_it_byte_by_byte(shop: Any, run: Any) -> None:
    declare_app(shop.app())
    headers = {"task": "shop.note", "id": "i", "_content_type": "application/json", "_content_encoding": "utf-8"}
    with engine_for(shop.database_url).begin() as conn:
        Parking("test").park(conn, queue="shop.stock", task="?", body=b"\xff{", headers=headers, reason="malformed")

    run(shop, "replay", "--all")

    with shop.app().connection_for_read() as connection:
        message = shop.app().amqp.queues["shop.stock"](connection.channel()).get(accept=["json"])
        body = message.body.encode("latin-1") if isinstance(message.body, str) else bytes(message.body)
        told = {name: value for name, value in message.headers.items() if name != "x-delivery-count"}
        assert (body, told) == (b"\xff{", {"task": "shop.note", "id": "i"})


def test_dropping_a_command_closes_it_for_good(rabbit_shop: Any, run: Any) -> None:
    parked_command(rabbit_shop)

    run(rabbit_shop, "drop", "--all")

    assert rabbit_shop.rows("SELECT * FROM outbox") == []
    assert [row.status for row in rabbit_shop.rows("SELECT status FROM parked")] == ["dropped"]


def test_a_dry_run_names_what_it_would_do_and_does_nothing(rabbit_shop: Any, run: Any) -> None:
    parked_command(rabbit_shop)

    done = run(rabbit_shop, "replay", "--all", "--dry-run")

    assert done.stdout.splitlines()[-1] == "1 would be replayed"
    assert rabbit_shop.parked() == [("poison", "shop.reserve")]
    assert audit(rabbit_shop) == [("worker", "park")]


def test_bulk_acts_take_only_what_was_chosen(rabbit_shop: Any, run: Any) -> None:
    parked_command(rabbit_shop, "k1", "poison")
    parked_command(rabbit_shop, "k2", "bug")

    run(rabbit_shop, "drop", "--all", "--reason", "bug")

    assert rabbit_shop.parked() == [("poison", "shop.reserve")]


@pytest.mark.parametrize("chosen", [Choice(ids=[2]), Choice(task="shop.note"), Choice(reason="bug")])
def test_a_choice_takes_only_what_it_names(rabbit_shop: Any, chosen: Choice) -> None:
    with engine_for(rabbit_shop.database_url).begin() as conn:
        for task, reason in (("shop.reserve", "poison"), ("shop.note", "bug"), ("shop.reserve", "poison")):
            Parking("ann").park(conn, queue="shop.till", task=task, body={}, reason=reason)

        assert [2] == [record.id for record in Parking("ann").list(conn, chosen)]


def test_a_command_can_be_replayed_without_a_broker(rabbit_shop: Any) -> None:
    parked_command(rabbit_shop)
    with engine_for(rabbit_shop.database_url).begin() as conn:
        assert ["k1"] == [record.key for record in Parking("ann").replay(conn, Choice())]


def test_replay_without_ids_needs_all(rabbit_shop: Any, run: Any) -> None:
    parked_command(rabbit_shop)

    done = run(rabbit_shop, "replay")

    assert done.returncode == 2
    assert rabbit_shop.parked() == [("poison", "shop.reserve")]


def test_an_id_that_is_not_parked_is_named(rabbit_shop: Any, run: Any) -> None:
    done = run(rabbit_shop, "drop", "41", "42")

    assert (done.returncode, done.stderr) == (1, "not parked: 41, 42\n")


def test_a_record_is_acted_on_once(rabbit_shop: Any, run: Any) -> None:
    parked_command(rabbit_shop)
    run(rabbit_shop, "replay", "1")

    assert run(rabbit_shop, "replay", "1").returncode == 1
    assert audit(rabbit_shop) == [("worker", "park"), ("ann", "replay")]


def test_show_gives_the_record_and_who_did_what(rabbit_shop: Any, run: Any) -> None:
    with engine_for(rabbit_shop.database_url).begin() as conn:
        record = Parking("bob").park(conn, queue="shop.till", task="shop.note", body={}, reason="bug", detail="why")
    run(rabbit_shop, "drop", str(record))

    shown = json.loads(run(rabbit_shop, "show", str(record), "--json").stdout)

    assert (shown["detail"], shown["status"]) == ("why", "dropped")
    assert [(act["actor"], act["act"]) for act in shown["audit"]] == [("bob", "park"), ("ann", "drop")]


def test_show_says_when_there_is_no_such_record(rabbit_shop: Any, run: Any) -> None:
    assert run(rabbit_shop, "show", "7").returncode == 1


def test_list_is_one_line_a_record(rabbit_shop: Any, run: Any) -> None:
    parked_command(rabbit_shop)

    lines = run(rabbit_shop, "list").stdout.splitlines()

    assert lines[0].split("\t")[2:] == ["poison", "shop.reserve", "k1", "died six times"]
    assert lines[1] == "1 parked"


def test_a_record_that_somebody_else_is_acting_on_is_left_alone(rabbit_shop: Any) -> None:
    parked_command(rabbit_shop)
    engine = engine_for(rabbit_shop.database_url)

    with engine.begin() as conn, engine.begin() as other:
        Parking("ann").drop(conn, Choice())
        assert Parking("bob").replay(other, Choice()) == []


def test_an_invented_reason_is_refused(rabbit_shop: Any) -> None:
    with engine_for(rabbit_shop.database_url).begin() as conn, pytest.raises(ValueError, match="'whim' is none of"):
        Parking("ann").park(conn, queue="shop.till", task="shop.note", body={}, reason="whim")


def test_a_message_cannot_be_replayed_without_a_broker(rabbit_shop: Any) -> None:
    with engine_for(rabbit_shop.database_url).begin() as conn:
        Parking("ann").park(conn, queue="shop.till", task="shop.note", body={}, reason="bug")
        with pytest.raises(ValueError, match="no broker"):
            Parking("ann").replay(conn, Choice())


def test_what_is_parked_now_and_then_costs_one_engine_and_leaves_no_connection(shop: Any) -> None:
    """A worker's event loop stands still while it parks: compiling the same statements for every message took a third of its time."""
    for number in range(3):
        message = Message("{", content_type="application/json", content_encoding="utf-8", headers={"id": f"m{number}"})
        park_message(shop.database_url, message, queue="shop.till", found=Fault("malformed", "cut short"))
    engine = engine_for(shop.database_url)
    assert engine_for(shop.database_url) is engine
    assert engine.pool.status() == "NullPool"
