"""A file system of its own is really full, and really forgets what nobody synced; the journal of the trading service on one."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor.laptop.volume import VolumeFile, missing_right
from trading.adapters.journal.errors import JournalFull
from trading.adapters.journal.reader import records
from trading.adapters.journal.segment import PAGE
from trading.adapters.journal.writer import Journal, Level

SEGMENT_BYTES = 1 << 20


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[VolumeFile]:
    if why := missing_right():
        pytest.skip(why)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "before").write_text("kept")
    made = VolumeFile(folder, 16)
    made.mount()
    yield made
    if made.mounted:
        made.unmount()


def journal_on(volume: VolumeFile, level: Level) -> Journal:
    return Journal(volume.folder / "journal", level=level, code_version="1", segment_bytes=SEGMENT_BYTES)


WRITER = """
import os, signal, sys
from pathlib import Path
from trading.adapters.journal.writer import Journal

journal = Journal(Path(sys.argv[1]), level=sys.argv[2], code_version="1", segment_bytes=int(sys.argv[3]))
for number in range(50):
    journal.commit([bytes([number]) * 4096])
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_writer(volume: VolumeFile, level: Level, segment_bytes: int = SEGMENT_BYTES) -> None:
    """Commit 50 records in a process that SIGKILL ends then."""
    arguments = (str(volume.folder / "journal"), level, str(segment_bytes))
    assert -signal.SIGKILL == subprocess.run([sys.executable, "-c", WRITER, *arguments], check=False).returncode


def fill(journal: Journal) -> None:
    while True:
        journal.reserve()
        journal.commit([bytes(64 << 10)])


def numbers(volume: VolumeFile) -> list[int]:
    return [sequence for sequence, _ in records(volume.folder / "journal")]


@pytest.mark.parametrize(("level", "kept"), [("disk", 50), ("process", 0)])
def test_a_loss_of_power_takes_what_was_not_synced(volume: VolumeFile, level: Level, kept: int) -> None:
    killed_writer(volume, level)
    seen: list[int] = []

    volume.cut(lambda: seen.extend(numbers(volume)))

    assert 50 == len(seen)
    assert list(range(1, kept + 1)) == numbers(volume)


def test_a_writer_at_level_disk_syncs_what_those_before_it_did_not(volume: VolumeFile) -> None:
    killed_writer(volume, "process", 16 * PAGE)
    killed_writer(volume, "disk", 16 * PAGE)

    volume.cut(lambda: None)

    assert list(range(1, 101)) == numbers(volume)


def test_a_journal_on_a_full_volume_refuses_and_goes_on_when_there_is_room(volume: VolumeFile) -> None:
    with journal_on(volume, "process") as journal:
        volume.fill()
        with pytest.raises(JournalFull, match="No space left"):
            fill(journal)
        refused_at = journal.next_sequence
        volume.free()
        journal.reserve()
        journal.commit([bytes(64 << 10)])

    assert list(range(1, refused_at + 1)) == numbers(volume)


def test_what_was_in_the_folder_is_there_on_the_volume_and_after_it(volume: VolumeFile) -> None:
    (volume.folder / "on it").write_text("kept")
    on_it = (volume.folder / "before").read_text()

    volume.unmount()

    assert ("kept", False) == (on_it, volume.mounted)
    assert ["before", "on it"] == sorted(path.name for path in volume.folder.iterdir())
    assert [volume.folder] == list(volume.folder.parent.iterdir())
