"""The relay while its broker or its database is away, on both brokers: nothing is lost, and it goes on by itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cable import Cable
from desk import Desk
from kombu.exceptions import OperationalError as BrokerError
from post import Post
from structlog.testing import capture_logs

from chassis.declare import declare_app
from chassis.migrate import migrate, scripts_of
from servers import Postgres, free_port, health, wait_until

MIGRATIONS = scripts_of("orders.app")


@pytest.fixture
def make_post(outbox_url: str, desk: Desk, broker_url: str) -> Iterator[Callable[..., Post]]:
    """Makes a relay's surroundings, with the topology declared; the database and the relay's broker may be at a cable's end."""
    made: list[Post] = []

    def make(*, broker: Cable | None = None, database: Cable | None = None) -> Post:
        made.append(Post(database.url if database else outbox_url, broker_url, relay_broker_url=broker and broker.url))
        declare_app(made[-1].app)
        return made[-1]

    yield make
    for post in made:
        post.close()


def test_what_could_not_be_published_is_given_back_and_due_soon(
    desk: Desk, make_post: Callable[..., Post], broker_url: str
) -> None:
    cable = Cable(broker_url)
    post = make_post(broker=cable)
    desk.put("a", "b", "c")
    cable.cut()

    with pytest.raises(BrokerError):
        post.relay().round()

    assert [0, 0, 0] == [row.issued for row in desk.rows("SELECT issued FROM outbox")]
    assert 0 < desk.row("a").due_in <= 0.5


def test_only_what_did_not_go_out_is_given_back(
    desk: Desk, make_post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("a", "b", "c", "d")
    relay = make_post().relay()
    publish, calls = relay._publish, []

    def fail_second(producer: Any, envelope: Any) -> None:
        calls.append(envelope)
        if len(calls) == 2:
            raise ConnectionResetError("in the middle")
        publish(producer, envelope)

    monkeypatch.setattr(relay, "_publish", fail_second)
    with pytest.raises(BrokerError):
        relay.round()

    gone = set(calls[0].ids)
    assert gone == {row.id for row in desk.rows("SELECT id FROM outbox WHERE issued = 1")}


def test_a_command_that_is_done_already_is_not_given_back(
    desk: Desk, make_post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("a")
    relay = make_post().relay()

    def sent_but_not_confirmed(*_: Any) -> None:
        desk.run("UPDATE outbox SET state = 'parked'")
        raise ConnectionResetError("no confirm")

    monkeypatch.setattr(relay, "_publish", sent_but_not_confirmed)
    with pytest.raises(BrokerError):
        relay.round()

    assert 1 == desk.row("a").issued


def test_a_relay_outlives_its_broker_and_resumes(desk: Desk, make_post: Callable[..., Post], broker_url: str) -> None:
    cable = Cable(broker_url)
    post = make_post(broker=cable)
    with capture_logs() as logs, post.running(post.relay()):
        desk.put("before")
        post.wait_for()
        cable.cut()
        desk.put("meanwhile")
        wait_until(lambda: post.heartbeat.beats.count(False) > 1, what="the relay to notice, twice")
        cable.mend()
        post.wait_for()

    events = [line["event"] for line in logs if line["event"].startswith("relay_")]
    assert ["relay_waits", "relay_resumed"] == events
    assert post.heartbeat.beats[-1]


def test_a_relay_outlives_its_database_and_resumes(desk: Desk, make_post: Callable[..., Post], outbox_url: str) -> None:
    cable = Cable(outbox_url)
    post = make_post(database=cable)
    with capture_logs() as logs, post.running(post.relay()):
        desk.put("before")
        post.wait_for()
        cable.cut()
        wait_until(lambda: any(line["event"] == "relay_waits" for line in logs), what="the relay to notice")
        beats = len(post.heartbeat.beats)
        wait_until(lambda: len(post.heartbeat.beats) > beats + 1, what="another try")
        desk.put("meanwhile")
        cable.mend()
        post.wait_for()

    assert ["database"] == [line["on"] for line in logs if line["event"] == "relay_waits"]
    assert all(post.heartbeat.beats)


def test_a_relay_beats_while_it_has_nothing_to_do(make_post: Callable[..., Post]) -> None:
    post = make_post()
    with post.running(post.relay()):
        wait_until(lambda: len(post.heartbeat.beats) > 3, what="a few rounds")

    assert all(post.heartbeat.beats)


def test_a_relay_works_without_anybody_to_tell(desk: Desk, make_post: Callable[..., Post]) -> None:
    post = make_post()
    desk.put("a")
    with post.running(post.relay(heartbeat=None)):
        post.wait_for()

    assert [] == post.heartbeat.beats


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_relay_of_a_service_is_a_process_that_ends_when_told(
    database_url: str, broker_url: str, tmp_path: Path, end: signal.Signals
) -> None:
    migrate(database_url, MIGRATIONS)
    heartbeat = tmp_path / "heartbeat"
    desk = Desk(database_url)
    desk.put("a", task="orders.expire", queue="orders.saga")
    port = free_port()
    told = {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "HEARTBEAT_FILE": str(heartbeat),
        "METRICS_PORT": str(port),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
        "POOL": "relay",
    }
    process = subprocess.Popen([sys.executable, "-m", "chassis.relay", "orders.app"], env={**os.environ, **told})
    try:
        wait_until(lambda: desk.row("a").issued == 1, what="a published command")
        wait_until(lambda: 200 == health(port, "ready"), what="a relay that is ready")
        published = 'chassis_relay_published_total{pool="relay",queue="orders.saga"} 1.0'
        wait_until(lambda: published in httpx.get(f"http://127.0.0.1:{port}/metrics").text, what="its count")
        process.send_signal(end)

        assert 0 == process.wait(10)
        assert heartbeat.exists()
    finally:
        process.kill()
        process.wait()
        desk.engine.dispose()


def test_the_relay_of_a_service_is_a_process_whose_log_can_be_collected(tmp_path: Path) -> None:
    nowhere = {"DATABASE_URL": "postgresql+psycopg://127.0.0.1:1/none", "BROKER_URL": "amqp://127.0.0.1:1/none"}
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "chassis.relay", "orders.app"],
            env={**os.environ, **nowhere, "POOL": "relay", "LOG_FORMAT": "json"},
            stderr=out,
        )
    try:
        wait_until(lambda: "relay_waits" in log.read_text(), what="a relay that waits for its database")
        line = json.loads(log.read_text().splitlines()[0])

        assert ("relay_waits", "database", "relay") == (line["event"], line["on"], line["pool"])
    finally:
        process.kill()
        process.wait()


def test_a_relay_outlives_a_database_that_only_reads(
    desk: Desk, make_post: Callable[..., Post], postgres: Postgres
) -> None:
    post = make_post()
    desk.put("before")
    with capture_logs() as logs, postgres.read_only(), post.running(post.relay()):
        wait_until(lambda: any(line["event"] == "relay_waits" for line in logs), what="the relay to notice")
        beats = len(post.heartbeat.beats)
        wait_until(lambda: len(post.heartbeat.beats) > beats + 1, what="another try")
    with post.running(post.relay()):
        post.wait_for()

    assert {"database"} == {line["on"] for line in logs if line["event"] == "relay_waits"}
    assert all(post.heartbeat.beats)
