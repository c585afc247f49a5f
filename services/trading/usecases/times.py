"""Times as people read them. Pure."""

from datetime import UTC, datetime


def time_of(us: int) -> str | None:
    """Microseconds since 1970 as ISO 8601 in UTC, to the millisecond; None for 0."""
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds") if us else None
