"""Files that are replayed: what their rows are, and which of them are late."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.capstones.analytics.events import LATE_MS
from conductor.capstones.analytics.replayed_file import MARGIN_MS, Clock, Told, read
from conductor.errors import Refused

NOW_MS = 1_764_000_000_000


def written(folder: Path, text: str) -> Path:
    file = folder / "file"
    file.write_text(text)
    return file


def test_ratings_are_likes_and_views_of_their_seconds(tmp_path: Path) -> None:
    rows = read(written(tmp_path, "userId,movieId,rating,timestamp\n7,31,2.5,1260759144\n7,32,4,1260759179.0\n"))

    assert [(1260759144000, "view", "31"), (1260759179000, "like", "32")] == [
        (row.at_ms, row.members["kind"], row.members["content"]) for row in rows
    ]
    assert ["2", "3"] == [row.members["id"] for row in rows]


def test_events_keep_their_members(tmp_path: Path) -> None:
    line = '{"id": "e", "user": "u", "content": "c", "kind": "share", "at_ms": 5, "topics": ["t"], "bot": true}'
    (row,) = read(written(tmp_path, f"\n{line}\n\n"))
    event, kept = Clock().event(row, NOW_MS)

    assert (5, {"id": "e", "user": "u", "content": "c", "kind": "share", "topics": ["t"], "bot": True}) == (
        row.at_ms,
        row.members,
    )
    assert (NOW_MS, ("u", "c", "flagged:share", NOW_MS)) == (event["at_ms"], kept)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has no column user or userId"),
        ("user,content,at_ms\nu,c,soon\n", "line 2"),
        ("user,content,at_ms\nu,c\n", "line 2"),
        ('{"user": "u"}\n', "line 1"),
        ('{"user": "u", "content": "c", "kind": "view", "at_ms": 1}\n[1]\n', "line 2"),
    ],
)
def test_a_row_that_is_no_event_is_refused_by_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        read(written(tmp_path, text))


@given(st.lists(st.integers(0, 10 * LATE_MS), min_size=1, max_size=30))
def test_a_row_is_late_by_the_newest_time_before_it_and_never_by_a_hair(times: list[int]) -> None:
    clock = Clock()
    ages = [
        NOW_MS - clock.event(Told(at, {"user": "u", "content": "c", "kind": "view"}), NOW_MS)[0]["at_ms"]
        for at in times
    ]
    late = [max(times[: number + 1]) - at > LATE_MS for number, at in enumerate(times)]

    assert late == [age >= LATE_MS + MARGIN_MS for age in ages]
    assert late == [age > LATE_MS - MARGIN_MS for age in ages]
    assert sum(late) == clock.offline.apart["late:view"]
    assert len(times) == clock.offline.rows == clock.offline.counted.total() + clock.offline.apart.total()


def test_a_sorted_file_has_nothing_late() -> None:
    clock = Clock()
    for at in range(0, 50 * LATE_MS, LATE_MS):
        clock.event(Told(at, {"user": "u", "content": "c", "kind": "view"}), NOW_MS)

    assert ({}, {("view", "c"): 50}) == (clock.offline.apart, clock.offline.counted)
