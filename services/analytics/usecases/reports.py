"""Reports of the hours of UTC and the days of a zone that are over, from the archive.

A report is made when its period is over and `settle_seconds` have passed, or whenever later runs find it missing. When events of a period
are archived after that, and the report would show something else, a new revision is made beside the old one.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from html import escape
from zoneinfo import ZoneInfo

from analytics.domain.days import Period, closed
from analytics.ports.reports import ReportFiles, ReportSource, Revision, RevisionStore, Summary


class Reports:
    """Makes what is missing. Raises chassis.errors.Transient when archive, files or database fail; the next run goes on."""

    def __init__(
        self,
        source: ReportSource,
        files: ReportFiles,
        revisions: RevisionStore,
        *,
        zone: ZoneInfo,
        days: int,
        settle_seconds: float,
        clock_ms: Callable[[], int],
    ) -> None:
        """Periods that ended within the last `days` days are looked at."""
        self._source = source
        self._files = files
        self._revisions = revisions
        self._zone = zone
        self._days = days
        self._settle_ms = int(settle_seconds * 1000)
        self._clock_ms = clock_ms

    def make(self) -> list[Revision]:
        """Make what is missing or changed; what was made."""
        periods = closed(self._clock_ms() - self._settle_ms, days=self._days, zone=self._zone)
        return [made for period in periods if (made := self._make(period)) is not None]

    def _make(self, period: Period) -> Revision | None:
        fingerprint = self._source.fingerprint(period.begin_ms, period.end_ms)
        last = self._revisions.newest(period.kind, period.begin_ms)
        if not fingerprint or (last is not None and last.fingerprint == fingerprint):
            return None
        with self._source.summary(period.begin_ms, period.end_ms) as found:
            body = found.csv.read_bytes()
            digest = blake2b(body, digest_size=16).hexdigest()
            if not found.kinds:
                return None
            if last is not None and last.digest == digest:
                self._revisions.unchanged(last, fingerprint)
                return None
            number = last.revision + 1 if last is not None else 1
            folder = f"reports/{period.kind}/{period.name}/{number}-{digest[:8]}"
            events = sum(count for _, count, _ in found.kinds)
            made = Revision(period.kind, period.begin_ms, number, fingerprint, digest, events, folder)
            page = _page(period, made, found, self._zone.key).encode()
            files = {"report.parquet": found.parquet.read_bytes(), "report.csv": body, "index.html": page}
            self._files.put_report(folder, files)
        return made if self._revisions.add(made) else None


def _page(period: Period, made: Revision, found: Summary, zone: str) -> str:
    """The report for people, without script or anything from elsewhere."""
    shown_zone = "UTC" if period.kind == "hour" else zone
    kinds = [(kind, f"{events:,}", f"{events - distinct:,}") for kind, events, distinct in found.kinds]
    top = [(content, kind, f"{events:,}", f"{users:,}") for content, kind, events, _, users in found.top]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Events of {period.name}</title><style>body{{font:16px sans-serif;margin:2rem auto;max-width:50rem;padding:0 1rem}}"
        "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #777;padding:.3rem;text-align:left;overflow-wrap:anywhere}"
        "</style></head><body>"
        f"<h1>Events of {period.name}</h1><p>Zone {escape(shown_zone)}, {(period.end_ms - period.begin_ms) // 3_600_000} hours. "
        f"Revision {made.revision}. {made.events:,} events of {found.users:,} users. Late and future events are not in it.</p>"
        + _table("By kind", ("kind", "events", "of them sent again under another key"), kinds)
        + _table("Most events", ("content", "kind", "events", "users"), top)
        + '<p>All contents: <a href="report.csv">CSV</a>, <a href="report.parquet">Parquet</a>.</p></body></html>\n'
    )


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in rows)
    return f"<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
