"""Days of a zone, and the periods that are over."""

from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from analytics.domain.days import closed, day_of
from analytics.usecases.views import BadRange, Page, Range, asked_range

HOUR = 3_600_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


@pytest.mark.parametrize(
    ("day", "zone", "begin", "hours"),
    [
        ("2026-11-28", "UTC", "2026-11-28T00:00Z", 24),
        ("2026-11-28", "Asia/Kathmandu", "2026-11-27T18:15Z", 24),
        ("2026-03-29", "Europe/Berlin", "2026-03-28T23:00Z", 23),
        ("2026-10-25", "Europe/Berlin", "2026-10-24T22:00Z", 25),
        ("2026-04-24", "Africa/Cairo", "2026-04-23T22:00Z", 23),  # midnight itself is skipped
        ("2026-10-04", "Australia/Lord_Howe", "2026-10-03T13:30Z", 23.5),
    ],
)
def test_a_day_is_as_long_as_its_zone_says(day: str, zone: str, begin: str, hours: float) -> None:
    found = day_of(date.fromisoformat(day), ZoneInfo(zone))

    assert (ms(begin), hours) == (found.begin_ms, (found.end_ms - found.begin_ms) / HOUR)
    assert Range(found.begin_ms, found.end_ms) == asked_range(None, None, date.fromisoformat(day), zone)


def test_every_hour_and_day_that_is_over_is_there_once() -> None:
    zone = ZoneInfo("Europe/Berlin")
    now = ms("2026-10-27T10:30Z")

    periods = list(closed(now, days=3, zone=zone))

    hours = [each for each in periods if each.kind == "hour"]
    assert 72 == len(hours)
    assert ["2026-10-24", "2026-10-25", "2026-10-26"] == [each.name for each in periods if each.kind == "day"]
    assert all(one.end_ms == other.begin_ms for one, other in pairwise(hours))
    assert max(each.end_ms for each in periods) <= now
    assert f"{datetime(2026, 10, 27, 9, tzinfo=UTC):%Y-%m-%dT%HZ}" == hours[-1].name


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((1, 2, date(2026, 1, 1), None), "together"),
        ((None, None, date(2026, 1, 1), "Mars/Olympus"), "Mars/Olympus"),
        ((None, None, date(2026, 1, 1), "../etc/passwd"), "etc/passwd"),
        ((None, None, date(9999, 12, 31), "UTC"), "9999-12-31"),
        ((1, 2, None, "UTC"), "UTC"),
        ((1, None, None, None), "to_ms"),
    ],
)
def test_a_question_without_a_clear_range_is_refused(
    asked: tuple[int | None, int | None, date | None, str | None], said: str
) -> None:
    with pytest.raises(BadRange, match=said):
        asked_range(*asked)


def test_pages_make_up_the_whole() -> None:
    points = [{"at_ms": at} for at in (0, 60, 120, 180, 240)]
    found, after = [], -1

    for _ in range(3):
        page, following = Page(2, after).of(points)
        found += page
        after = following if following is not None else after

    assert points == found
    assert following is None
