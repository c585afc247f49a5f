"""The faults of what keeps a watched laptop platform's data, by which alerts are raised: its disk, its backups, the archive of its log."""

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conductor.laptop import observability
from conductor.laptop.runtime import LocalRuntime

OLD_BACKUP_SECONDS = 2 * 24 * 3600


@contextmanager
def archive_refused(runtime: LocalRuntime) -> Iterator[None]:
    """An archive of the database's log in which its server may not write."""
    archive, postgres = runtime.platform.run.wal_archive, runtime.platform.postgres
    made = not archive.is_dir()
    archive.mkdir(parents=True, exist_ok=True)
    mode = archive.stat().st_mode
    archive.chmod(0o500)
    postgres.switch_segment()
    try:
        yield
    finally:
        archive.chmod(mode)
        if made:
            archive.rmdir()
        postgres.switch_segment()  # the next one is tried at once, and this one before it


@contextmanager
def old_backup(runtime: LocalRuntime) -> Iterator[None]:
    """An exporter that sees one base backup, of two days ago."""
    with tempfile.TemporaryDirectory() as folder:
        backup = Path(folder) / "20200101T000000Z" / "backup.json"
        backup.parent.mkdir()
        backup.write_text("{}")
        made = time.time() - OLD_BACKUP_SECONDS
        os.utime(backup, (made, made))
        with other_exporter("--backups", folder, runtime):
            yield


@contextmanager
def other_exporter(option: str, value: str, runtime: LocalRuntime, **variables: str) -> Iterator[None]:
    """A second exporter of the capstone, to which one thing is told otherwise, or more, with variables that it needs for that."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = observability.exporter(runtime.platform)
    argv = list(program.argv)
    for name, told in (("--port", str(port)), (option, value)):
        if name in argv:
            argv[argv.index(name) + 1] = told
        else:
            argv += [name, told]
    process = subprocess.Popen(argv, env={**program.environment, **variables}, cwd=program.directory)
    try:
        with target(runtime, port):
            yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def target(runtime: LocalRuntime, port: int) -> Iterator[None]:
    """Prometheus scrapes this port as well."""
    file = runtime.platform.run.targets / f"{runtime.platform.name}.played.json"
    labels = {"capstone": runtime.platform.name, "pool": "played"}
    file.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}"], "labels": labels}]))
    try:
        yield
    finally:
        file.unlink()


@contextmanager
def small_volume(runtime: LocalRuntime) -> Iterator[None]:
    """An exporter whose data lie on a file system of 64 MB; only root can make one."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)
        try:
            with other_exporter("--data", folder, runtime):
                yield
        finally:
            subprocess.run(["umount", folder], check=True)
