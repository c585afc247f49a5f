"""Which phase a market is in by its sessions. Pure; times are microseconds since 1970, whatever the zone of the market."""

from collections.abc import Sequence
from typing import NamedTuple

from trading.domain.terms import Phase


class Session(NamedTuple):
    """A trading day."""

    day: int
    """Days since 1970 of its date in the market's zone."""
    open_us: int
    close_us: int
    """The first moment in which it is over."""


class Moment(NamedTuple):
    """Where a market stands."""

    day: int
    """Of the session that is open, or of the last one; 0 before the first that is known."""
    phase: int
    """CONTINUOUS in a session, else CLOSED."""


class Unwritten(ValueError):
    """The sessions that are known end before now: nobody can say whether the market is open."""


def moment(sessions: Sequence[Session], now_us: int) -> Moment:
    """Where the market stands at a time. `sessions` are in order. Raises Unwritten when they do not reach beyond it."""
    if not sessions or sessions[-1].close_us <= now_us:
        last = f"end on day {sessions[-1].day}" if sessions else "are none"
        raise Unwritten(f"the sessions that were written ahead {last}, and it is day {now_us // 86_400_000_000}")
    begun = [one for one in sessions if one.open_us <= now_us]
    if not begun:
        return Moment(0, Phase.CLOSED)
    return Moment(begun[-1].day, Phase.CONTINUOUS if now_us < begun[-1].close_us else Phase.CLOSED)
