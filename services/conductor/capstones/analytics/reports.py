"""Which reports the analytics have made, as their database says."""

from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from conductor.errors import StoreUnreachable
from conductor.runtime import Reach

_NEWEST = """
SELECT DISTINCT ON (begin_ms) period, begin_ms, revision, events, folder, made_at FROM report_revisions
WHERE period = %s ORDER BY begin_ms DESC, revision DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Report:
    """The newest revision of a period's report; `folder` is below the archive."""

    period: str
    begin: str
    revision: int
    events: int
    folder: str
    made_at: str


def newest(access: Reach, period: str, limit: int) -> list[Report]:
    """The reports of the latest hours or days, the latest first. Raises StoreUnreachable."""
    try:
        with psycopg.connect(access.addresses()["database"], connect_timeout=5) as connection:
            rows = connection.execute(_NEWEST, (period, limit)).fetchall()
    except psycopg.OperationalError as error:
        raise StoreUnreachable(f"the database does not answer: {error}") from error
    return [
        Report(
            period,
            f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%MZ}",
            revision,
            events,
            folder,
            f"{made:%Y-%m-%dT%H:%M:%SZ}",
        )
        for period, at, revision, events, folder, made in rows
    ]
