"""From where the relay scans its index: never past what may still come, and from the beginning often enough."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.watermarks import BEGINNING, FULL_LOOK_SECONDS, LATE, Watermarks

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.fixture
def marks() -> Watermarks:
    return Watermarks(["till", "stock"])


def test_the_first_look_is_full_and_begins_at_the_beginning(marks: Watermarks) -> None:
    assert (True, [BEGINNING]) == (marks.is_full(0.0), marks.of(["till"], full=True))


def test_a_queue_that_was_emptied_is_scanned_from_a_moment_before(marks: Watermarks) -> None:
    marks.raise_to(NOW, ["till"], {"till": 2}, {"till": [ago(60)]})

    assert [NOW - LATE, BEGINNING] == [*marks.of(["till"], full=False), *marks.of(["till"], full=True)]


def test_a_queue_that_has_more_is_scanned_from_the_last_that_came(marks: Watermarks) -> None:
    marks.raise_to(NOW, ["till"], {"till": 2}, {"till": [ago(60), ago(50)]})

    assert [ago(50)] == marks.of(["till"], full=False)


def test_what_came_just_now_leaves_room_for_what_was_written_before_it(marks: Watermarks) -> None:
    marks.raise_to(NOW, ["till"], {"till": 1}, {"till": [ago(0)]})

    assert [NOW - LATE] == marks.of(["till"], full=False)


def test_a_queue_without_room_keeps_its_watermark(marks: Watermarks) -> None:
    marks.raise_to(ago(10), ["till"], {"till": 1}, {})
    marks.raise_to(NOW, ["till"], {}, {})

    assert [ago(10) - LATE] == marks.of(["till"], full=False)


def test_a_queue_that_was_never_looked_into_is_scanned_from_the_beginning(marks: Watermarks) -> None:
    marks.raise_to(NOW, ["till"], {}, {})

    assert [BEGINNING] == marks.of(["till"], full=False)


def test_queues_of_the_service_and_those_ever_seen_are_looked_into(marks: Watermarks) -> None:
    marks.raise_to(NOW, ["strange"], {"strange": 1}, {})

    assert ["stock", "strange", "till"] == sorted(marks.queues())


@pytest.mark.parametrize(("cost", "pause"), [(0.001, 0.02), (0.1, 2.0), (60.0, FULL_LOOK_SECONDS)])
def test_a_full_look_takes_a_twentieth_of_the_time_and_comes_at_last(
    marks: Watermarks, cost: float, pause: float
) -> None:
    marks.looked(100.0, 100.0 + cost)
    next_look = 100.0 + cost + pause

    assert (True, False) == (marks.is_full(next_look + 0.001), marks.is_full(next_look - 0.001))
