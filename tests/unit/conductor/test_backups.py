"""Which base backup a restore begins with, what is dropped when there is a newer one, and that nothing runs on an unreconciled database."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conductor.capstones.orders.restore_options import moment
from conductor.errors import BackupFailed, Refused
from conductor.laptop import lifecycle, restore_points
from conductor.laptop.backups import Backups, Base
from conductor.laptop.platform import Platform
from conductor.laptop.restore_points import RestorePoint
from conductor.laptop.state import State
from conductor.laptop.wanted import Wanted
from conductor.run_directory import RunDirectory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


@pytest.fixture
def backups(run: RunDirectory) -> Backups:
    """Base backups of ten, eleven and twelve, each begun in a segment of its own, and six segments."""
    run.wal_archive.mkdir(parents=True)
    for number in range(1, 7):
        (run.wal_archive / f"0000000100000000{number:08X}.gz").touch()
    (run.wal_archive / "00000002.history.gz").touch()
    for hour, segment in ((10, 2), (11, 4), (12, 5)):
        ended = NOON.replace(hour=hour)
        folder = run.backups / "base" / f"{ended:%Y%m%dT%H%M%S%f}Z"
        folder.mkdir(parents=True)
        told = {"name": folder.name, "ended": ended.isoformat(), "wal": f"0000000100000000{segment:08X}"}
        (folder / "backup.json").write_text(json.dumps(told))
    return Backups(run)


def hours(bases: list[Base]) -> list[int]:
    return [base.ended.hour for base in bases]


@pytest.mark.parametrize(("to", "hour"), [(timedelta(), 12), (timedelta(minutes=-1), 11), (timedelta(days=1), 12)])
def test_a_restore_begins_with_the_last_backup_before_its_time(backups: Backups, to: timedelta, hour: int) -> None:
    assert hour == backups.before(NOON + to).ended.hour


def test_a_time_before_every_backup_is_refused_with_those_there_are(backups: Backups) -> None:
    with pytest.raises(Refused, match=r"no base backup was finished by 2026-03-01T09.*2026-03-01 10:00:00"):
        backups.before(NOON.replace(hour=9))


def test_a_database_that_does_not_answer_is_told_and_nothing_is_archived(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    platform = Platform(run, State.fresh("valkey").model_copy(update={"ports": {"postgres": 1}}))

    with pytest.raises(BackupFailed, match=r"the database does not answer: .*refused"):
        Backups(run).take(platform.postgres)

    assert not run.backups.exists()


def test_a_backup_that_was_cut_short_is_none(backups: Backups, run: RunDirectory) -> None:
    (run.backups / "base" / "20260301T130000000000Z.new").mkdir()

    assert [10, 11, 12] == hours(backups.bases())


def test_the_last_two_stay_with_the_log_that_they_need(backups: Backups, run: RunDirectory) -> None:
    backups.prune()

    assert [11, 12] == hours(backups.bases())
    assert ["0000000100000000" + f"{n:08X}.gz" for n in (4, 5, 6)] + ["00000002.history.gz"] == sorted(
        path.name for path in run.wal_archive.iterdir()
    )


def test_nothing_starts_on_a_restored_database_before_it_was_reconciled(run: RunDirectory) -> None:
    restore_points.save(RestorePoint(NOON, NOON, "base", None), run)

    with pytest.raises(Refused, match="capstone reconcile --apply"):
        lifecycle.up(run, Wanted(), lambda text: None)


@pytest.mark.parametrize("kept", [None, Path("/kept")])
def test_a_restore_point_is_read_as_it_was_written(run: RunDirectory, kept: Path | None) -> None:
    point = RestorePoint(NOON, NOON, "base", kept).as_reconciled()
    restore_points.save(point, run)

    assert point == restore_points.load(run)


def test_the_outside_is_asked_from_before_the_restored_time() -> None:
    assert timedelta(minutes=10) == NOON - RestorePoint(NOON, NOON, "base", None).since


@pytest.mark.parametrize(
    ("text", "why"),
    [("noon", '"noon" is no time such as'), ("2026-03-01T12:00:00", "does not say its offset from UTC")],
)
def test_a_time_that_may_be_misread_is_refused(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        moment(text)


def test_a_time_says_where_it_is_meant() -> None:
    assert NOON == moment("2026-03-01T13:00:00+01:00")
