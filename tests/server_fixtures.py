"""Real servers for the tests that need them: RabbitMQ, Valkey and PostgreSQL, each started once a session on free ports.

Every server is a direct child of the test process, lives in its own temporary directory and is killed by its process id
at the end; if pytest itself is killed, the kernel takes the servers with it. A server that is not installed skips the
test on a laptop and fails it when `CI` is set. Tests get isolation from the per-test fixtures: `vhost` (an empty
RabbitMQ virtual host), `redis_url` and `store_url` (emptied Valkey databases), `database_url` (an empty PostgreSQL
database), and `broker_url`, which runs the test on both brokers.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from conductor.errors import StartFailed
from conductor.laptop import unprivileged
from conductor.laptop.servers import postgres_binaries
from conductor.laptop.servers import rabbitmq as rabbitmq_node
from conductor.laptop.servers import valkey as valkey_server
from servers import (
    PASSWORD,
    PgBouncer,
    Postgres,
    RabbitMQ,
    RabbitMQContainer,
    Server,
    Valkey,
    ValkeyCluster,
    free_port,
    listens,
)

_S = TypeVar("_S", bound=Server | ValkeyCluster)

NAMES = itertools.count(1)
LEFT: list[Callable[[], object]] = []


def missing(what: str) -> NoReturn:
    """Skips where a person may lack the server; fails where nobody would notice the skip."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is needed when CI is set")
    pytest.skip(f"{what} is not installed")


@contextlib.contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A folder for this block; what cannot be taken away with it stays."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as path:
        yield Path(path)


@contextlib.contextmanager
def running(server: _S) -> Iterator[_S]:
    """The server, started; killed when the block ends, also where it did not become ready."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A running RabbitMQ; use `vhost` for an empty place on it. RABBITMQ_IMAGE names a container image to run instead of what is
    installed, which is how the same tests are run on another version. Its log is kept in pytest's temporary directory."""
    image = os.environ.get("RABBITMQ_IMAGE")
    if image:
        yield from _container(image)
        return
    binary = rabbitmq_node.script("rabbitmq-server")
    if binary is None:
        missing("rabbitmq-server")
    directory = Path(tempfile.mkdtemp(prefix="rabbit-"))
    port, dist_port, epmd_port, management_port, metrics_port = (free_port() for _ in range(5))
    (directory / "rabbitmq.conf").write_text(
        f"listeners.tcp.default = 127.0.0.1:{port}\nmanagement.tcp.ip = 127.0.0.1\n"
        f"management.tcp.port = {management_port}\nprometheus.tcp.ip = 127.0.0.1\n"
        f"prometheus.tcp.port = {metrics_port}\ndefault_user = tester\ndefault_pass = {PASSWORD}\n"
        "collect_statistics_interval = 1000\n"
        "vm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 50MB\n"
        "log.console = true\nlog.file = false\n"
    )
    (directory / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].")
    environment = rabbitmq_node.node_environment(f"test{port}", directory, erlang_port=dist_port, epmd_port=epmd_port)
    epmd = Server(
        ["epmd", "-port", str(epmd_port)], directory, epmd_port, lambda: listens(epmd_port), environment=environment
    )
    epmd.start()
    server = RabbitMQ(
        [str(binary)],
        directory,
        port,
        lambda: False,
        environment,
        management_port=management_port,
        metrics_port=metrics_port,
    )
    server.ready = server.answers
    try:
        server.start()
        yield server
    finally:
        server.kill()
        epmd.kill()
        shutil.copy(server.log, tmp_path_factory.getbasetemp() / "rabbitmq.log")
        shutil.rmtree(directory, ignore_errors=True)


def _container(image: str) -> Iterator[RabbitMQ]:
    port, management_port, metrics_port = free_port(), free_port(), free_port()
    name = f"rabbit-{port}"
    command = ["docker", "run", "--rm", "--name", name, "--publish", f"127.0.0.1:{port}:5672"]
    command += ["--publish", f"127.0.0.1:{management_port}:15672", "--publish", f"127.0.0.1:{metrics_port}:15692"]
    command += ["--env", "RABBITMQ_DEFAULT_USER=tester", "--env", f"RABBITMQ_DEFAULT_PASS={PASSWORD}", image]
    with folder("rabbit-") as directory:
        server = RabbitMQContainer(
            command, directory, port, lambda: False, management_port=management_port, metrics_port=metrics_port
        )
        server.name, server.ready = name, server.answers
        with running(server):
            yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A running Valkey; use `redis_url` for an emptied broker database and `store_url` for the other one."""
    with own_valkey() as server:
        yield server


@contextlib.contextmanager
def own_valkey(more: str = "") -> Iterator[Valkey]:
    """A running Valkey for this block, with further lines of configuration."""
    binary = valkey_binary()
    with folder("valkey-") as directory, running(Valkey.in_folder(binary, directory, more)) as server:
        yield server


@contextlib.contextmanager
def own_cluster(*, replicas: int = 0) -> Iterator[ValkeyCluster]:
    """Three primaries for this block, and a replica of each of the first so many."""
    binary = valkey_binary()
    with folder("cluster-") as directory, running(ValkeyCluster(binary, directory, replicas=replicas)) as made:
        yield made


def valkey_binary() -> Path:
    """The server's program; without it a laptop skips, CI fails."""
    try:
        return valkey_server.binary()
    except StartFailed as error:
        missing(str(error))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL; use `database_url` for an empty database."""
    with folder("postgres-") as directory:
        server = new_postgres(directory)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def new_postgres(directory: Path) -> Postgres:
    """A PostgreSQL with an empty data folder in `directory`, not started."""
    server = postgres_in(directory)
    data, here = server.directory, server.command[2]
    initdb = [
        str(postgres_program("initdb")),
        "--username=tester",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
    ]
    password = directory / "password"
    password.write_text(PASSWORD)
    unprivileged.give(password)
    with password.open() as file:
        initdb += ["--no-sync", f"--pwfile=/dev/fd/{file.fileno()}", here]
        given, run_as = [file.fileno()], server.run_as
        subprocess.run(initdb, cwd=data, user=run_as, group=run_as, pass_fds=given, check=True, capture_output=True)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write(
            "listen_addresses='127.0.0.1'\nunix_socket_directories=''\nfsync=off\nmax_connections=200\n"
        )
    return server


def standby_of(primary: Postgres, directory: Path) -> Postgres:
    """A PostgreSQL that follows the primary, from a base backup of it in `directory`; not started."""
    server = postgres_in(directory)
    backup = [str(postgres_program("pg_basebackup")), f"--pgdata={server.command[2]}", "--write-recovery-conf"]
    backup += ["--host=127.0.0.1", f"--port={primary.port}", "--username=tester", "--no-sync", "--checkpoint=fast"]
    run_as, environment = server.run_as, {**os.environ, "PGPASSWORD": PASSWORD}
    subprocess.run(
        backup, cwd=server.directory, user=run_as, group=run_as, env=environment, check=True, capture_output=True
    )
    return server


@contextlib.contextmanager
def postgres_pair() -> Iterator[tuple[Postgres, Postgres]]:
    """A primary and a standby that follows it, both running until the block ends."""
    with (
        folder("postgres-") as first,
        folder("postgres-") as second,
        running(new_postgres(first)) as primary,
        running(standby_of(primary, second)) as standby,
    ):
        yield primary, standby


def postgres_in(directory: Path) -> Postgres:
    """A PostgreSQL whose data folder is in `directory` and is still empty, on a port of its own."""
    port, data = free_port(), directory / "data"
    data.mkdir(mode=0o700)
    unprivileged.give(data)
    # PostgreSQL refuses root; and who cannot walk to the folder is started in it.
    run_as = unprivileged.USER[0] if unprivileged.applies() else None
    here = "/proc/self/cwd" if unprivileged.applies() else str(data)
    command = [str(postgres_program("postgres")), "-D", here, "-p", str(port)]
    server = Postgres(command, data, port, lambda: False, run_as=run_as)
    server.ready, server.stop_signal = server.answers, signal.SIGINT
    return server


def postgres_program(name: str) -> Path:
    """A program of PostgreSQL; without it a laptop skips, CI fails."""
    try:
        return postgres_binaries.binary(name)
    except StartFailed as error:
        missing(str(error))


@pytest.fixture(scope="session")
def pgbouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    """A running PgBouncer in transaction mode over `postgres`, as an administrator sets it up who knows nothing of us; it has three
    connections a database, so that clients share them."""
    binary = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        missing("pgbouncer")
    with folder("pgbouncer-") as directory:
        directory.chmod(0o755)
        port = free_port()
        (directory / "users").write_text(f'"tester" "{PASSWORD}"\n')
        (directory / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {directory / 'users'}\n"
            "pool_mode = transaction\ndefault_pool_size = 3\nserver_login_retry = 1\n"
        )
        # It refuses root.
        run_as = 65534 if os.geteuid() == 0 else None
        server = PgBouncer(
            [binary, str(directory / "pgbouncer.ini")], directory, port, lambda: listens(port), run_as=run_as
        )
        with running(server):
            yield server


@pytest.fixture
def vhost(rabbitmq: RabbitMQ) -> Iterator[str]:
    """The name of an empty RabbitMQ virtual host; `rabbitmq.url(vhost)` is its address."""
    name = f"v{next(NAMES)}"
    rabbitmq.api("PUT", f"vhosts/{name}")
    yield name
    LEFT.append(partial(rabbitmq.api, "DELETE", f"vhosts/{name}"))
    take_away_left(all_but=3)


def take_away_left(all_but: int = 0) -> None:
    """Take away virtual hosts of tests that ended a while ago.

    Taken away while its last worker's connection still declares a queue there, one brings down the part of RabbitMQ 3.10 that moves dead
    letters (rabbit_fifo_dlx_sup: reached_max_restart_intensity), and no quorum queue of that server can be used again.
    """
    while len(LEFT) > all_but:
        with contextlib.suppress(OSError):
            LEFT.pop(0)()


@pytest.fixture
def rabbitmq_url(rabbitmq: RabbitMQ, vhost: str) -> str:
    """The address of an empty RabbitMQ virtual host."""
    return rabbitmq.url(vhost)


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """The address of an emptied Valkey database, for use as a broker."""
    return emptied(valkey.url(0))


@pytest.fixture
def store_url(valkey: Valkey) -> str:
    """The address of an emptied Valkey database, for what is shared but never truth."""
    return emptied(valkey.url(1))


def emptied(url: str) -> str:
    import redis

    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    name = f"d{next(NAMES)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(params=["rabbitmq", "valkey"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty broker; the test runs once on each kind."""
    found: str = request.getfixturevalue({"rabbitmq": "rabbitmq_url", "valkey": "redis_url"}[request.param])
    return found
