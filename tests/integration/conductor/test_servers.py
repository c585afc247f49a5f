"""The servers of a platform, started by our supervisor in a folder with a long and spaced path, and ended without a trace."""

import contextlib
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import amqp
import psutil
import psycopg
import pytest
import redis

from conductor import capstones
from conductor.laptop import orphans, outside, start, state, stop
from conductor.laptop.backups import Backups
from conductor.laptop.platform import Platform
from conductor.laptop.ports import API, USUAL, reserved
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.servers import rabbitmq
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory
from servers import wait_until

API_PORT = state.api_port("orders")
NEEDED = {**USUAL, API_PORT: API, **outside.ports(capstones.named("orders"))}
pytestmark = pytest.mark.integration

LONG_AND_SPACED = (
    "a folder % with spaces; and so long a name that no unix socket could ever be bound below it " + "x" * 30
)


def modes(path: Path) -> dict[Path, int]:
    return {parent: stat.S_IMODE(parent.stat().st_mode) for parent in path.parents}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conductor") / LONG_AND_SPACED


@pytest.fixture(scope="module")
def modes_before(folder: Path) -> dict[Path, int]:
    return modes(folder)


@pytest.fixture(scope="module", params=["valkey", "rabbitmq"])
def platform(request: pytest.FixtureRequest, folder: Path, modes_before: dict[Path, int]) -> Iterator[Platform]:
    if request.param == "rabbitmq" and not rabbitmq.installed():
        reason = "rabbitmq-server is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    run = RunDirectory(folder / request.param)
    run.make()
    fresh = State.fresh(request.param)
    with contextlib.ExitStack() as started:
        with reserved(NEEDED, fresh.ports, NEEDED) as ports:
            made = Platform(run, fresh.model_copy(update={"ports": ports}))
            state.save(made.state, run.state)
            started.callback(lambda: stop.stop(made))
            made = start.start_servers(made)
            for server in made.servers:
                start.await_server(made, server.name, server.answers)
        made.postgres.make_database()
        yield made


def pid_of(platform: Platform, name: str) -> int:
    return platform.supervisor.process(name).pid


def answer_again(platform: Platform, name: str) -> None:
    server = next(server for server in platform.servers if server.name == name)
    start.await_server(platform, name, server.answers)


def test_the_database_serves_its_role_with_fsync(platform: Platform) -> None:
    with psycopg.connect(platform.postgres.address()) as connection:
        found = connection.execute("select current_user, current_setting('fsync')").fetchone()

    assert found == ("orders", "on")


def test_nobody_else_gets_the_ports_of_pools_that_do_not_run(platform: Platform) -> None:
    own = platform.state.ports[API_PORT]

    def kept() -> bool:
        with reserved([API_PORT], {API_PORT: own}, {API_PORT: API}) as others:
            return others[API_PORT] != own

    wait_until(kept, what="the ports to be kept")


def test_the_database_refuses_a_wrong_password(platform: Platform) -> None:
    address = platform.postgres.address().replace(platform.state.logins["orders"].postgres, "wrong")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address)


def test_every_server_listens_on_loopback_only(platform: Platform) -> None:
    ours = {process.pid for process in orphans.find(platform.state.run_id, platform.run.starts)}

    listening = [c.laddr.ip for c in psutil.net_connections("inet") if c.pid in ours and c.status == "LISTEN"]
    assert set(listening) <= {"127.0.0.1", "::1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a right away")
def test_the_database_gives_up_root(platform: Platform) -> None:
    assert psutil.Process(pid_of(platform, "postgres")).uids().effective == 65534


@pytest.mark.parametrize("platform", ["valkey"], indirect=True)
def test_a_backup_is_made_and_the_log_archived(platform: Platform) -> None:
    backups = Backups(platform.run)

    made = backups.take(platform.postgres)

    assert ([made], True) == (backups.bases(), backups.close_segment(platform.postgres))


def test_a_read_only_database_refuses_a_connection_that_was_open_before(platform: Platform) -> None:
    runtime = LocalRuntime(platform)
    with psycopg.connect(platform.postgres.address(), autocommit=True) as connection:

        def writable() -> bool:
            return connection.execute("show transaction_read_only").fetchall() == [("off",)]

        with runtime.read_only_database():
            wait_until(lambda: not writable(), what="a read-only database")
        wait_until(writable, what="a database that takes writes")


class Publisher:
    """Publishes one small message after the other."""

    def __init__(self, platform: Platform) -> None:
        self._url = platform.broker_url
        # The node's own word; what is published to it meanwhile stays in the socket.
        self._blocked: list[str] = []
        self._rabbitmq: amqp.Connection | None = None
        if platform.rabbitmq:
            login = platform.state.logins[platform.name].rabbitmq
            self._rabbitmq = amqp.Connection(
                f"127.0.0.1:{platform.state.ports['rabbitmq']}",
                platform.name,
                login,
                virtual_host=platform.name,
                on_blocked=self._blocked.append,
                on_unblocked=self._blocked.clear,
            )
            self._rabbitmq.connect()

    def is_taken(self) -> bool:
        """Whether the broker takes what is published."""
        if self._rabbitmq is None:
            with redis.Redis.from_url(self._url) as client, contextlib.suppress(redis.OutOfMemoryError):
                return bool(client.rpush("messages", "one"))
            return False
        self._rabbitmq.channel(1).basic_publish(amqp.Message("one"), routing_key="nobody")
        with contextlib.suppress(TimeoutError):
            self._rabbitmq.drain_events(timeout=0.2)
        return not self._blocked

    def close(self) -> None:
        if self._rabbitmq is not None:
            self._rabbitmq.close()


def test_a_memory_alarm_keeps_publishers_out_until_it_ends(platform: Platform) -> None:
    runtime = LocalRuntime(platform)
    with contextlib.closing(Publisher(platform)) as publisher:
        assert publisher.is_taken()
        with runtime.memory_alarm():
            wait_until(lambda: not publisher.is_taken(), what="a broker that takes nothing")
        wait_until(publisher.is_taken, what="a broker that takes messages again")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a right away")
def test_what_root_lets_the_database_walk_through_can_be_listed_by_nobody(platform: Platform) -> None:
    found = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (platform.run.path, *platform.run.path.iterdir())
        if path.is_dir()
    }

    assert {0o700, 0o711} == set(found.values())
    assert {platform.run.path.name, "data", "backups"} >= {name for name, mode in found.items() if mode == 0o711}


def test_what_dies_is_started_again(platform: Platform) -> None:
    for server in platform.servers:
        before = pid_of(platform, server.name)
        victim = psutil.Process(before)
        victim.kill()
        psutil.wait_procs([victim], timeout=10)
        answer_again(platform, server.name)

        assert before != pid_of(platform, server.name)


def test_a_supervisor_that_was_killed_leaves_survivors_that_are_found_and_ended(platform: Platform) -> None:
    again = Platform(platform.run, state.loaded(platform.run.state))
    pid = again.state.supervisor_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait(10)

    ended = stop.stop(again)

    assert len(ended) >= len(again.servers)
    assert orphans.find(again.state.run_id, again.run.starts) == []


def test_no_permission_outside_the_run_directory_changed(
    platform: Platform, folder: Path, modes_before: dict[Path, int]
) -> None:
    assert modes_before == modes(folder)
