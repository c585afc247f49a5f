"""Reports of what is over, and users that are erased from every place: on a real archive, database and store."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from analytics.adapters.archive_erasure import ArchiveErasure
from analytics.adapters.archive_files import ArchiveFiles
from analytics.adapters.archive_query import ArchiveQuery
from analytics.adapters.revision_store import SqlRevisionStore
from analytics.domain.batch import columnise, encode
from analytics.domain.events import Event, Timing
from analytics.domain.parts import Part, part_id
from analytics.queues import RECOMMEND, RECOMMEND_USERS
from analytics.usecases.reports import Reports
from chassis.migrate import migrate, scripts_of
from chassis.parking import Parking, engine_for
from conductor.capstones.analytics.reports import newest as newest_reports
from servers import Valkey

DAY = 1_764_288_000_000  # 2025-11-28T00:00Z
HOUR = 3_600_000


def batch_of(events: list[Event], key: str, published_ms: int) -> Any:
    return columnise([Part(part_id("web", key, 0), events)], published_ms, lambda _: Timing.ON_TIME)


def event(name: str, at_ms: int, *, user: str = "u1", content: str = "c1", kind: Any = "like") -> Event:
    return Event(name, user, content, kind, at_ms, ("t",))


def archive(files: ArchiveFiles, events: list[Event], key: str, published_ms: int) -> None:
    files.write([files.rows(batch_of(events, key, published_ms))])


@pytest.fixture
def made(tmp_path: Path, database_url: str) -> Callable[[int], list[tuple[str, int, int, int]]]:
    """Makes the reports that are due at a time; period, begin, revision and events of each."""
    migrate(database_url, scripts_of("analytics.app"))
    files = ArchiveFiles(f"file://{tmp_path}/archive")

    def make(now_ms: int) -> list[tuple[str, int, int, int]]:
        query = ArchiveQuery(files, late_ms=24 * HOUR, future_ms=300_000)
        reports = Reports(
            query, files, SqlRevisionStore(database_url),
            zone=ZoneInfo("Asia/Kathmandu"), days=2, settle_seconds=60, clock_ms=lambda: now_ms,
        )  # fmt: skip
        return [(each.period, each.begin_ms, each.revision, each.events) for each in reports.make()]

    return make


class Reach:
    """A database, as the conductor reaches it."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://")

    def addresses(self) -> dict[str, str]:
        return {"database": self._url}

    def tokens(self) -> dict[str, str]:
        return {}


def test_a_report_is_made_once_and_anew_when_its_period_changed(made: Any, tmp_path: Path, database_url: str) -> None:
    files = ArchiveFiles(f"file://{tmp_path}/archive")
    midnight = DAY - 5 * HOUR - 45 * 60_000  # of Kathmandu
    archive(
        files,
        [event("a", midnight), event("b", midnight + 1, user="u2"), event("b", midnight + 1, user="u2")],
        "1",
        DAY,
    )
    archive(files, [event("c", midnight - 1)], "2", DAY)  # of the day before
    hour = midnight // HOUR * HOUR

    assert [("day", midnight - 24 * HOUR, 1, 1)] == made(hour + HOUR + 59_000)  # the hour is not settled
    assert [("hour", hour, 1, 4)] == made(hour + HOUR + 61_000)
    assert [] == made(hour + HOUR + 62_000)
    archive(files, [event("a", midnight), event("x", midnight + 1)], "1", DAY)  # another body under the same key
    assert [("day", midnight, 1, 3)] == made(midnight + 24 * HOUR + 61_000)  # the hour is not made anew
    archive(files, [event("d", midnight + 2, content="<b>")], "3", DAY + HOUR)
    changed = made(midnight + 24 * HOUR + 62_000)

    assert [("hour", hour, 2, 5), ("day", midnight, 2, 4)] == changed
    listed = {period: newest_reports(Reach(database_url), period, 5) for period in ("hour", "day")}
    assert [(2, 5)] == [(one.revision, one.events) for one in listed["hour"]]
    assert [("2025-11-27T18:15Z", 2, 4), ("2025-11-26T18:15Z", 1, 1)] == [
        (one.begin, one.revision, one.events) for one in listed["day"]
    ]
    assert (tmp_path / "archive" / listed["day"][0].folder / "index.html").is_file()
    (newest,) = (tmp_path / "archive/reports/day/2025-11-28").glob("2-*")
    rows = list(csv.DictReader((newest / "report.csv").open()))
    assert [("<b>", "like", "1", "1", "1"), ("c1", "like", "3", "2", "2")] == [tuple(row.values()) for row in rows]
    assert 2 == pq.read_metadata(newest / "report.parquet").num_rows
    page = (newest / "index.html").read_text()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "Asia/Kathmandu" in page
    assert "Revision 2" in page


def test_a_window_that_is_written_again_is_one_file(tmp_path: Path) -> None:
    files = ArchiveFiles(f"file://{tmp_path}/archive")
    rows = [files.rows(batch_of([event(str(n), DAY + n)], str(n), DAY)) for n in range(3)]

    files.write(rows)
    files.write(rows[::-1])
    files.write([rows[0], rows[0]])  # one alone, and twice

    assert [1, 3] == sorted(pq.read_metadata(each.path).num_rows for each in files.files())
    with ArchiveQuery(files, late_ms=HOUR, future_ms=0).hours(range(DAY // HOUR, DAY // HOUR + 1)) as hours:
        assert [3] == [sum(count.events for count in found.totals().values()) for _, found in hours]


def test_what_is_too_old_is_removed(tmp_path: Path) -> None:
    files = ArchiveFiles(f"file://{tmp_path}/archive")
    for day in range(3):
        archive(files, [event("a", DAY)], str(day), DAY + day * 24 * HOUR)

    files.remove_before((DAY + 24 * HOUR) // HOUR)

    assert [DAY // HOUR + 24, DAY // HOUR + 48] == [each.published_hour for each in files.files()]


def test_object_storage_holds_the_same(tmp_path: Path) -> None:
    files = ArchiveFiles(f"memory://{tmp_path.name}/archive")
    archive(files, [event("a", DAY), event("b", DAY, user="u2")], "1", DAY)

    assert {"files": 1, "events": 1} == ArchiveErasure(files).erase("u2")
    with ArchiveQuery(files, late_ms=HOUR, future_ms=0).hours(range(DAY // HOUR, DAY // HOUR + 1)) as hours:
        assert [({("like", DAY // 60_000): 2}, ["u1"])] == [
            ({key: count.events for key, count in found.totals().items()}, list(found.users())) for _, found in hours
        ]


def test_an_erased_user_is_nowhere(
    analytics_on: Callable[..., Any], rabbitmq_url: str, database_url: str, counters: Valkey, tmp_path: Path
) -> None:
    service = analytics_on(rabbitmq_url, ARCHIVE_URL=f"file://{tmp_path}/archive")
    files = ArchiveFiles(f"file://{tmp_path}/archive")
    events = [event("gone-1", DAY, user="gone"), event("b", DAY), event("c", DAY, content="gone", kind="follow")]
    archive(files, events, "1", DAY)
    readable, broken = encode(batch_of(events, "2", DAY)), b"\x01 cut off gone"
    with engine_for(database_url).begin() as conn:
        for body in (readable, broken, encode(batch_of([event("d", DAY)], "3", DAY))):
            Parking("test").park(conn, queue="analytics.aggregate", task="?", body=body, reason="malformed")
        users = {"v": 1, "users": ["u1", "gone"]}
        Parking("test").park(conn, queue=RECOMMEND, task=RECOMMEND_USERS, body=users, reason="bug")
    with service.store() as client:
        client.hset("{0}:u:1", mapping={"gone": 2, "u1": 1})
        client.hset("{0}:c:follow:1", mapping={"gone": 1})
        client.hset("{0}:ct:follow", mapping={"gone": 1, "u1": 1})
        client.rpush("{recommend}:seen:gone", "c1")
        client.sadd("{recommend}:waiting", "gone")

    first, again = (erased(service, "gone") for _ in range(2))

    assert first["places"] == {
        "counters": {"counters": 3},
        "recommendations": {"lists": 1, "waiting": 1},
        "parked": {"records": 3, "events": 2, "emptied": [2]},
        "archive": {"files": 1, "events": 2},
    }
    assert again["places"] == {
        "counters": {"counters": 0},
        "recommendations": {"lists": 0, "waiting": 0},
        "parked": {"records": 0, "events": 0, "emptied": []},
        "archive": {"files": 0, "events": 0},
    }
    with service.store() as client:
        assert not [key for key in client.scan_iter("*") if "gone" in key]
        assert {"{0}:u:1": {"u1": "1"}, "{0}:ct:follow": {"u1": "1"}} == {
            key: client.hgetall(key) for key in ("{0}:u:1", "{0}:ct:follow")
        }
    tables = [pq.read_table(each.path) for each in files.files()]
    assert [3] == [table.num_rows for table in tables]
    assert "gone" not in str([table.to_pylist() for table in tables])
    with sa.create_engine(database_url).begin() as conn:
        kept = [
            str(row) for row in conn.execute(sa.text("SELECT decode(body->>'raw', 'base64')::text, status FROM parked"))
        ]
        users = conn.execute(
            sa.text("SELECT body->>'users' FROM parked WHERE task = 'analytics.recommend_users'")
        ).scalar_one()
        receipts = conn.execute(sa.text("SELECT count(*) FROM erasures")).scalar_one()
    assert not [text for text in kept if b"gone".hex() in text]
    assert '["u1"]' == users
    assert 2 == receipts


def erased(service: Any, user: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "analytics.erase", user],
        env=service.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert user not in done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found
