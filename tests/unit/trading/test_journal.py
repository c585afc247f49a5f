"""What was committed is read back, whatever ended its writer; what was changed or cut since is found."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.full_disk import full_disk
from trading.adapters.journal import frames
from trading.adapters.journal.errors import JournalDamaged, JournalFull, JournalHeld
from trading.adapters.journal.heads import head_of, keep, kept
from trading.adapters.journal.reader import Tail, records
from trading.adapters.journal.recovery import cut_to_the_last_sync
from trading.adapters.journal.segment import PAGE, path_of, segments
from trading.adapters.journal.verification import verify
from trading.adapters.journal.writer import Journal, Level

KEY = b"a key that the journal's owner does not have"
SMALL = {"segment_bytes": 16 * 4096, "block_bytes": 512}


def opened(folder: Path, level: Level = "process") -> Journal:
    return Journal(folder, level=level, code_version="test", **SMALL)


def record(number: int) -> bytes:
    return b"record %d " % number * (number % 7 + 1)


def written(folder: Path, count: int, level: Level = "process") -> Journal:
    journal = opened(folder, level)
    for number in range(1, count + 1):
        journal.reserve()
        assert number == journal.commit([record(number)])
    return journal


def left_by_a_kill(journal: Journal) -> None:
    """What the kernel does to the files of a process that was killed: the lock goes, the pages stay."""
    os.close(journal._lock)


@pytest.mark.parametrize("level", ["process", "disk"])
def test_records_are_read_in_order_over_segments(tmp_path: Path, level: Level) -> None:
    written(tmp_path, 1000, level).close()

    assert [(number, record(number)) for number in range(1, 1001)] == list(records(tmp_path))
    for after in (1, 2, 500, 899, 998, 999, 1000, 1001):
        assert [(number, record(number)) for number in range(after + 1, 1001)] == list(records(tmp_path, after))
    assert len(segments(tmp_path)) > 1
    assert [] == verify(tmp_path).findings


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(JournalHeld):
        opened(tmp_path)


def test_every_writer_has_an_epoch_and_names_its_version(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with opened(tmp_path) as journal:
        assert 2 == journal.epoch
    verified = verify(tmp_path)

    assert [(1, "test"), (2, "test")] == [(epoch, version) for epoch, _, _, version in verified.holders]


@given(torn=st.binary(max_size=80), count=st.integers(0, 60))
@settings(max_examples=60)
def test_a_frame_that_was_not_finished_is_cut(
    tmp_path_factory: pytest.TempPathFactory, torn: bytes, count: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = written(folder, count)
    # All of a frame but its size, which is written last.
    journal._map[journal._end + 4 : journal._end + 4 + len(torn)] = torn
    left_by_a_kill(journal)

    with opened(folder) as journal:
        assert count + 1 == journal.commit([b"next"])
    assert [*(record(number) for number in range(1, count + 1)), b"next"] == [each for _, each in records(folder)]
    assert [] == verify(folder).findings


def test_a_byte_flipped_in_any_frame_is_found(tmp_path: Path) -> None:
    written(tmp_path, 15).close()
    path = segments(tmp_path)[-1]
    whole = path.read_bytes()
    end = len(whole.rstrip(b"\0"))

    for offset in [*range(76), *range(4096, end)]:
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x10]) + whole[offset + 1 :])

        assert verify(tmp_path).findings, offset


def test_damage_that_was_committed_stops_the_next_writer(tmp_path: Path) -> None:
    journal = written(tmp_path, 3)
    journal._map[journal._end - 12] ^= 1
    left_by_a_kill(journal)

    with pytest.raises(JournalDamaged, match="checksum"):
        opened(tmp_path)


def test_a_segment_that_is_missing_is_found(tmp_path: Path) -> None:
    written(tmp_path, 2000).close()
    segments(tmp_path)[1].unlink()

    assert "segment 2 is missing, 3 follows" in verify(tmp_path).findings[0]


def test_a_tail_gives_closed_blocks_while_they_are_written(tmp_path: Path) -> None:
    journal, read = opened(tmp_path), []
    tail = Tail(tmp_path, after=10)
    for number in range(1, 1001):
        journal.reserve()
        journal.commit([record(number)])
        read += [one for closed in tail.poll() for one in closed.records]
        assert not read or read[-1][0] <= number
    journal.close_block()
    read += [one for closed in tail.poll() for one in closed.records]

    assert [(number, record(number)) for number in range(11, 1001)] == read


def test_a_segment_that_ends_while_a_tail_reads_it_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer goes on between the tail's last look at a segment and its question for the next one."""
    journal = written(tmp_path, 10)
    journal.close_block()
    tail = Tail(tmp_path, after=10)
    tail.poll()

    def writer_goes_on(folder: Path, number: int) -> Path:
        monkeypatch.undo()
        for number_of_record in range(11, 1001):
            journal.reserve()
            journal.commit([record(number_of_record)])
        journal.close_block()
        return path_of(folder, number)

    monkeypatch.setattr("trading.adapters.journal.reader.path_of", writer_goes_on)
    read = [one for _ in range(2) for closed in tail.poll() for one in closed.records]

    assert len(segments(tmp_path)) > 1
    assert [(number, record(number)) for number in range(11, 1001)] == read


def test_a_writer_that_goes_on_where_a_reader_saw_the_end_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer closes blocks between the reader's look for a frame and its question for a closed block behind that."""
    journal = written(tmp_path, 10)
    reading = records(tmp_path)
    read = [next(reading)]
    last_block = frames.last_block

    def writer_goes_on(buffer: frames.Buffer, limit: int) -> tuple[frames.Block, int] | None:
        monkeypatch.undo()
        for number in range(11, 101):
            journal.reserve()
            journal.commit([record(number)])
        return last_block(buffer, limit)

    monkeypatch.setattr(frames, "last_block", writer_goes_on)
    read += reading

    assert [(number, record(number)) for number in range(1, 101)] == read


def test_signed_heads_find_a_tail_that_was_cut(tmp_path: Path) -> None:
    folder, heads = tmp_path / "journal", tmp_path / "elsewhere" / "heads"
    with opened(folder) as journal:
        for number in range(1, 31):
            journal.commit([record(number)])
    for closed in Tail(folder).poll():
        keep(heads, head_of(closed), KEY)
    assert [] == verify(folder, kept(heads, KEY)).findings

    # Whoever cuts the end of the journal whole block by whole block leaves a journal that is sound in itself.
    path = segments(folder)[-1]
    whole = path.read_bytes()
    last = Tail(folder).poll()[-1].block
    path.write_bytes(whole[: last.start].ljust(len(whole), b"\0"))
    assert [] == verify(folder).findings

    assert "it ends before sequence number 30" in verify(folder, kept(heads, KEY)).findings[0]
    assert "not by this key" in verify(folder, kept(heads, b"another key")).findings[0]


def test_at_level_disk_everything_committed_survives_a_power_failure(tmp_path: Path) -> None:
    left_by_a_kill(written(tmp_path, 200, "disk"))

    cut_to_the_last_sync(segments(tmp_path)[-1])

    opened(tmp_path, "disk").close()
    assert [record(number) for number in range(1, 201)] == [each for _, each in records(tmp_path)]


def test_at_level_process_a_power_failure_takes_what_was_not_synced(tmp_path: Path) -> None:
    left_by_a_kill(written(tmp_path, 20))

    assert cut_to_the_last_sync(segments(tmp_path)[-1])
    assert [] == list(records(tmp_path))


def test_a_full_disk_refuses_before_a_record_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = written(tmp_path, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(JournalFull, match="No space left"):
        fill(journal)
    monkeypatch.undo()

    last = journal.next_sequence - 1
    journal.reserve()
    journal.commit([record(last + 1)])
    journal.close()
    assert last + 1 == sum(1 for _ in records(tmp_path))
    assert [] == verify(tmp_path).findings


def fill(journal: Journal) -> None:
    """Write until something stands in the way."""
    for number in range(2, 10_000):
        journal.reserve()
        journal.commit([record(number)])


WRITER = """
import sys
from pathlib import Path
from trading.adapters.journal.writer import Journal
journal = Journal(Path(sys.argv[1]), level=sys.argv[2], code_version="test", segment_bytes=1 << 20, block_bytes=4096)
while True:
    journal.reserve()
    first = journal.commit([b"x%d" % journal.next_sequence] * 3)
    sys.stdout.write(f"{first + 2}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize(("level", "lines"), [("process", 2000), ("disk", 100)])
def test_what_was_said_before_a_kill_is_there(tmp_path: Path, level: Level, lines: int) -> None:
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), level], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout
            said = [writer.stdout.readline() for _ in range(lines)]
            writer.send_signal(signal.SIGKILL)
            said += [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]

        assert int(said[-1]) <= sum(1 for _ in records(tmp_path))
    opened(tmp_path, level).close()
    assert [] == verify(tmp_path).findings


def test_a_write_that_the_kernel_cuts_short_is_no_commit(tmp_path: Path) -> None:
    journal = written(tmp_path, 3, "disk")
    # Files may grow no further than the middle of the next frame.
    with full_disk(journal._end + 20), pytest.raises(OSError, match=r"16 of \d+ bytes were written"):
        journal.commit([record(4)])
    left_by_a_kill(journal)

    opened(tmp_path, "disk").close()
    assert [(number, record(number)) for number in range(1, 4)] == list(records(tmp_path))


def test_at_level_disk_nothing_but_the_mark_is_stored_through_a_map(tmp_path: Path) -> None:
    """A store makes up to a megabyte of the page cache dirty, and each fdatasync writes all of it."""
    with written(tmp_path, 3, "disk"):
        segment = str(segments(tmp_path)[-1])
        maps = [line.split()[:2] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(segment)]
    places = [[int(end, 16) for end in place.split("-")] for place, permissions in maps if "w" in permissions]
    assert [PAGE] == [end - start for start, end in places]


@pytest.mark.parametrize("size", [4096, (1 << 20) + 7, (3 << 20) + 4096])
@pytest.mark.parametrize("start", [0, 8, 4096])
def test_the_written_end_is_behind_the_last_byte_that_is_not_zero(size: int, start: int) -> None:
    for last in (None, start - 1, start, size // 2, size - 1):
        buffer = bytearray(size)
        if last is not None and 0 <= last < size:
            buffer[last] = 1
        expected = start + len(bytes(buffer[start:]).rstrip(b"\0"))

        assert expected == frames.written_end(buffer, start)
