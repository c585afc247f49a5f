"""The archive of the database's log: whole files only, none replaced, and nothing before the first backup.

The commands are run by a shell, as PostgreSQL does."""

import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from conductor.laptop.backups import first_segment
from conductor.laptop.servers import wal_archive

NAME = "000000010000000000000003"


@pytest.fixture(params=["plain", "a folder; 100% $(exit 3) of it's {own}"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / str(request.param) / "backups" / "wal"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def data(archive: Path) -> Path:
    folder = archive.parents[1] / "data" / "postgres"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def segment(data: Path) -> Path:
    file = data / NAME
    file.write_bytes(b"records" * 1000)
    return file


def run(command: str, data: Path, file: str) -> subprocess.CompletedProcess[str]:
    """As PostgreSQL runs it: in its data folder, names put in, %% for a percent sign."""
    for placeholder, value in (("%p", file), ("%f", NAME), ("%%", "%")):
        command = command.replace(placeholder, value)
    return subprocess.run(["/bin/sh", "-c", command], cwd=data, capture_output=True, text=True, check=False)


Put = Callable[[], subprocess.CompletedProcess[str]]


@pytest.fixture
def put(archive: Path, data: Path, segment: Path) -> Put:
    return lambda: run(wal_archive.put(archive, data), data, NAME)


def test_an_archived_file_comes_back_as_it_was(put: Put, archive: Path, segment: Path, data: Path) -> None:
    put()
    status = run(wal_archive.get(archive, data), data, "back").returncode

    assert (0, segment.read_bytes()) == (status, (data / "back").read_bytes())


def test_nothing_is_archived_before_the_first_backup(put: Put, archive: Path) -> None:
    archive.rmdir()

    assert (0, False) == (put().returncode, archive.exists())


def test_archiving_a_file_again_is_well(put: Put) -> None:
    put()

    assert 0 == put().returncode


def test_another_file_of_the_same_name_is_refused(put: Put, archive: Path, segment: Path) -> None:
    put()
    first = (archive / f"{NAME}.gz").read_bytes()
    segment.write_bytes(b"of another server")

    refused = put()

    assert (1, first) == (refused.returncode, (archive / f"{NAME}.gz").read_bytes())
    assert "is another file than" in refused.stderr


def test_a_start_that_was_cut_short_is_no_obstacle(put: Put, archive: Path, segment: Path) -> None:
    (archive / f".{NAME}.new").write_bytes(b"half")
    put()

    assert (segment.read_bytes(), [f"{NAME}.gz"]) == (
        gzip.decompress((archive / f"{NAME}.gz").read_bytes()),
        [path.name for path in archive.iterdir()],
    )


def test_a_file_that_cannot_be_written_is_not_said_to_be_safe(put: Put, archive: Path) -> None:
    (archive / f".{NAME}.new").mkdir()

    assert (False, False) == (put().returncode == 0, (archive / f"{NAME}.gz").exists())


def test_the_end_of_the_archive_is_told_by_the_status(archive: Path, data: Path) -> None:
    status = run(wal_archive.get(archive, data), data, "back").returncode

    assert (1, False) == (status, (data / "back").exists())


def test_an_archive_on_another_disk_is_found(archive: Path, data: Path, segment: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    archive.parent.rename(disk)
    archive.parent.symlink_to(disk)

    assert 0 == run(wal_archive.put(archive, data), data, NAME).returncode
    assert (disk / "wal" / f"{NAME}.gz").exists()


@pytest.mark.parametrize(
    ("lsn", "segment"),
    [
        ("0/2000028", "000000010000000000000002"),
        ("1/FF0000A0", "0000000100000001000000FF"),
        ("A/0", "000000010000000A00000000"),
    ],
)
def test_a_backup_needs_the_log_from_the_segment_it_began_in(lsn: str, segment: str) -> None:
    manifest = {"WAL-Ranges": [{"Timeline": 1, "Start-LSN": lsn, "End-LSN": "B/0"}]}

    assert segment == first_segment(manifest)
