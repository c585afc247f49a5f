"""The archive of the database's log: whole files only, none replaced, and nothing before the first backup."""

import gzip
from pathlib import Path

import pytest

from conductor.laptop.backups import first_segment
from conductor.laptop.servers import wal_archive
from conductor.laptop.servers.postgres import restore_command

NAME = "000000010000000000000003"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "wal"
    folder.mkdir()
    return folder


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    file = tmp_path / NAME
    file.write_bytes(b"records" * 1000)
    return file


def test_an_archived_file_comes_back_as_it_was(archive: Path, segment: Path, tmp_path: Path) -> None:
    wal_archive.main("put", str(segment), str(archive))
    status = wal_archive.main("get", NAME, str(archive), str(tmp_path / "back"))

    assert (0, segment.read_bytes()) == (status, (tmp_path / "back").read_bytes())


def test_nothing_is_archived_before_the_first_backup(segment: Path, tmp_path: Path) -> None:
    assert (0, False) == (wal_archive.put(segment, tmp_path / "none"), (tmp_path / "none").exists())


def test_archiving_a_file_again_is_well(archive: Path, segment: Path) -> None:
    wal_archive.put(segment, archive)

    assert 0 == wal_archive.put(segment, archive)


def test_another_file_of_the_same_name_is_refused(
    archive: Path, segment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wal_archive.put(segment, archive)
    first = (archive / f"{NAME}.gz").read_bytes()
    segment.write_bytes(b"of another server")

    assert (1, first) == (wal_archive.put(segment, archive), (archive / f"{NAME}.gz").read_bytes())
    assert "is another file than" in capsys.readouterr().err


def test_a_start_that_was_cut_short_is_no_obstacle(archive: Path, segment: Path) -> None:
    (archive / f".{NAME}.new").write_bytes(b"half")
    wal_archive.put(segment, archive)

    assert (segment.read_bytes(), [f"{NAME}.gz"]) == (
        gzip.decompress((archive / f"{NAME}.gz").read_bytes()),
        [path.name for path in archive.iterdir()],
    )


def test_the_end_of_the_archive_is_told_by_the_status(archive: Path, tmp_path: Path) -> None:
    assert (1, False) == (wal_archive.get(NAME, archive, tmp_path / "back"), (tmp_path / "back").exists())


def test_folders_of_any_name_pass_the_shell_and_postgresql() -> None:
    command = restore_command(Path("/a folder/100%/it's"))

    assert "'/a folder/100%%/it'\"'\"'s' %p" in command


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
