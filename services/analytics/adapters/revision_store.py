"""Which reports were made, in the service's database."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from analytics.adapters.tables import report_revisions as made_reports
from analytics.adapters.transactions import begun
from analytics.ports.reports import Revision
from chassis.parking import engine_for

_FIELDS = ("period", "begin_ms", "revision", "fingerprint", "digest", "events", "folder")


class SqlRevisionStore:
    """See ports.RevisionStore."""

    def __init__(self, database_url: str) -> None:
        self._engine = engine_for(database_url)

    def newest(self, period: str, begin_ms: int) -> Revision | None:
        """See ports."""
        wanted = sa.select(*(made_reports.c[name] for name in _FIELDS)).where(
            made_reports.c.period == period, made_reports.c.begin_ms == begin_ms
        )
        with begun(self._engine) as conn:
            row = conn.execute(wanted.order_by(made_reports.c.revision.desc()).limit(1)).mappings().one_or_none()
        return Revision(**row) if row is not None else None

    def add(self, made: Revision) -> bool:
        """See ports."""
        values = {name: getattr(made, name) for name in _FIELDS}
        with begun(self._engine) as conn:
            return bool(conn.execute(insert(made_reports).values(values).on_conflict_do_nothing()).rowcount)

    def unchanged(self, made: Revision, fingerprint: str) -> None:
        """See ports."""
        meant = (
            made_reports.c.period == made.period,
            made_reports.c.begin_ms == made.begin_ms,
            made_reports.c.revision == made.revision,
        )
        with begun(self._engine) as conn:
            conn.execute(made_reports.update().where(*meant).values(fingerprint=fingerprint))
