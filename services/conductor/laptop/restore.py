"""Brings the laptop's PostgreSQL back to an earlier time: base backup, log up to that time, and nothing after it.

The folder with what there was is kept. Nobody but us reaches the server while it recovers, on a port of its own; only when it has arrived
does it take its usual place. A restore that fails puts the kept folder back. The pools are stopped, and stay so: what the outside did since
is unknown to this database (`capstone reconcile`).

Before that, the log is replayed to its very end, aside: the orders that are given up are written to the recovery list, as far as there is a
log of them.
"""

import contextlib
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from conductor.errors import BackupFailed, Refused
from conductor.history import since_of
from conductor.laptop import interrupted_restore, lifecycle, restore_points, start, stop, unprivileged
from conductor.laptop.backups import SEGMENT, Backups, Base
from conductor.laptop.platform import Platform
from conductor.laptop.ports import reserved
from conductor.laptop.restore_points import RestorePoint
from conductor.laptop.runtime import locked
from conductor.laptop.servers import wal_archive
from conductor.laptop.servers.postgres import Postgres
from conductor.laptop.servers.postgres_binaries import binary
from conductor.laptop.state import write_private
from conductor.waiting import until

Tell = Callable[[str], None]

RECOVERY = "postgres-recovery"
RECOVERY_SECONDS = 600.0
STOP_SECONDS = 60.0

# What ids were given after that time is unknown: messages about them may still lie in the broker, and clients have seen them. New ones
# begin so far above that they never meet.
_SKIP_IDS = "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, coalesce(last_value, 0) + 1000000000) FROM pg_sequences"


def restore(platform: Platform, to: datetime, tell: Tell) -> RestorePoint:
    """Bring the database back to `to`; servers and outside world run when it returns, pools do not. Raises Refused, BackupFailed."""
    run = platform.run
    with locked(run):
        if to > datetime.now(UTC):
            raise Refused(f"{to.isoformat()} is in the future")
        others = sorted(platform.state.logins.keys() - {platform.name})
        if others:
            raise Refused(
                f"one PostgreSQL holds the databases of {platform.name} and {', '.join(others)}, and a restore would bring all of them "
                "back to that time: nothing was restored"
            )
        interrupted_restore.mend(platform, tell)
        backups = Backups(run)
        base = backups.before(to)
        _stop(platform, backups, tell)
        data = platform.postgres.data
        kept = data.with_name(f"{data.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}") if data.exists() else None
        interrupted_restore.begin(run, kept)
        try:
            if kept is not None:
                data.rename(kept)
            _write_list(platform, backups, base, kept, since_of(to), tell)
            tell(f"unpacking the base backup of {base.ended:%Y-%m-%d %H:%M:%S%z}")
            _unpack(backups.folder(base), data)
            _bring_log(kept, data)
            tell(f"replaying the log up to {to.isoformat()}")
            with recovered(platform.postgres, backups, data, to) as port:
                _skip_ids(platform.postgres, port)
            point = RestorePoint(to, datetime.now(UTC), base.name, kept)
            restore_points.save(point, run)
        except BaseException:
            tell("putting back what was there before")
            interrupted_restore.undo(run, data)
            raise
        interrupted_restore.end(run)
        _start(platform, tell)
        return point


def _write_list(
    platform: Platform, backups: Backups, base: Base, kept: Path | None, since: datetime, tell: Tell
) -> None:
    tell("listing the orders that are given up")
    aside = platform.run.data / "postgres.given-up"
    platform.run.recovery_list.unlink(missing_ok=True)
    shutil.rmtree(aside, ignore_errors=True)
    try:
        _unpack(backups.folder(base), aside)
        _bring_log(kept, aside)
        # It ends on a timeline of its own, of which the archive must not hear.
        with recovered(platform.postgres, backups, aside, None, archive_mode="off") as port:
            there = platform.with_state(ports={**platform.state.ports, "postgres": port})
            argv = [sys.executable, "-m", f"{platform.capstone.name}.recovery_list", "--since", since.isoformat()]
            done = subprocess.run(argv, env=there.service_environment(), capture_output=True, text=True, check=False)
            if done.returncode:
                raise BackupFailed(done.stderr.strip()[-500:])
            write_private(platform.run.recovery_list, done.stdout)
    except BackupFailed as error:
        tell(f"there is no such list, orders are known from their customers and the outside only: {error}")
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _stop(platform: Platform, backups: Backups, tell: Tell) -> None:
    if not platform.supervisor.answers():
        stop.end_survivors(platform)
        return
    tell("stopping the pools")
    stop.stop_pools(platform)
    with contextlib.suppress(psycopg.OperationalError):
        # A server that cannot any more leaves what it had not archived in its folder.
        backups.close_segment(platform.postgres)
    tell("stopping the database")
    platform.supervisor.begin_stop("postgres")
    platform.supervisor.wait_stopped("postgres", within_seconds=STOP_SECONDS)


def _start(platform: Platform, tell: Tell) -> None:
    tell("starting the servers")
    if platform.supervisor.answers():
        platform.supervisor.start_again("postgres")
        start.await_server(platform, "postgres", platform.postgres.answers)
        # The backup may be of before the last deploy.
        start.migrate(platform)
    else:
        lifecycle.servers(platform.run, tell)


def _unpack(folder: Path, data: Path) -> None:
    data.mkdir(mode=0o700)
    for name, target in (("base.tar.gz", data), ("pg_wal.tar.gz", data / "pg_wal")):
        with tarfile.open(folder / name) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extraction_filter = tarfile.data_filter
            # Before Python 3.11.4 (Debian 12 has 3.11.2) there are no filters; the archive is our own.
            tar.extractall(target)
    shutil.copy(folder / "backup_manifest", data)
    done = subprocess.run(
        [str(binary("pg_verifybackup")), "--no-parse-wal", str(data)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupFailed(f"the base backup in {folder} is damaged: {done.stderr.strip()}")
    unprivileged.give(data, *data.rglob("*"))


def _bring_log(kept: Path | None, data: Path) -> None:
    """What the old server had not archived: PostgreSQL looks there when the archive ends."""
    for segment in sorted((kept / "pg_wal").glob("*")) if kept else []:
        if SEGMENT.fullmatch(segment.name) and not (data / "pg_wal" / segment.name).exists():
            shutil.copy(segment, data / "pg_wal")
            unprivileged.give(data / "pg_wal" / segment.name)


@contextlib.contextmanager
def recovered(postgres: Postgres, backups: Backups, data: Path, to: datetime | None, **changes: str) -> Iterator[int]:
    """A server that recovered the unpacked backup in `data` up to a time, or as far as the log goes, on a port of its own.

    `changes` are settings that are other than usual. It is stopped after the block. Raises BackupFailed.
    """
    # Each is given, also when it says nothing: a backup of a server that was restored before holds what was given then.
    settings = {
        "restore_command": wal_archive.get(backups.wal, data),
        "recovery_target_time": to.isoformat() if to else "",
        "recovery_target_action": "promote",
    }
    with (data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = {_quoted(value)}\n" for name, value in settings.items())
    (data / "recovery.signal").touch()
    unprivileged.give(data / "recovery.signal")
    log = postgres.log_of(RECOVERY)
    # Not on its usual port, which is free now: those who wait for the server there must not meet this one.
    usual = reserved(["postgres"], {"postgres": postgres.port})
    with usual, reserved(["postgres"], {}) as ports, log.open("w") as output:
        port = ports["postgres"]
        server = subprocess.Popen(
            postgres.launch(RECOVERY, postgres.command(data, port, **changes), data),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: server.poll() is not None or _arrived(postgres, port), within_seconds=RECOVERY_SECONDS)
            if server.poll() is not None or not _arrived(postgres, port):
                raise BackupFailed(f"the log could not be replayed: {_said(log)}")
            yield port
            server.send_signal(signal.SIGINT)
            server.wait(STOP_SECONDS)
        finally:
            server.kill()
            server.wait()
            postgres.forget(RECOVERY)


def _arrived(postgres: Postgres, port: int) -> bool:
    try:
        with postgres.administer(port) as connection:
            return connection.execute("SELECT NOT pg_is_in_recovery()").fetchall() == [(True,)]
    except psycopg.OperationalError:
        return False


def _skip_ids(postgres: Postgres, port: int) -> None:
    with postgres.administer(port, postgres.database) as connection:
        connection.execute(_SKIP_IDS)


def _said(log: Path) -> str:
    fatal = [line for line in log.read_text(errors="replace").splitlines() if "FATAL" in line]
    return fatal[-1] if fatal else f"see {log}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
