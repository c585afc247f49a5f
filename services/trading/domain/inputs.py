"""What the engine takes, as flat tuples of integers. Pure.

Inputs and outcomes are plain tuples, because making one costs a tenth of making an object with names. The classes name their fields in
order: `New(*record)` reads one, and an instance is itself such a tuple. Prices are ticks, quantities lots, money minor units (`_minor`).
"""

from typing import NamedTuple

from trading.domain.terms import Input


class New(NamedTuple):
    """An order. Its id is the sequence number of this input."""

    kind: int
    session: int
    client_id: int
    """Greater than every client id that its session used before, in orders, cancels and replaces."""
    account: int
    symbol: int
    side: int
    type: int
    time_in_force: int
    price: int
    """Limit of LIMIT and STOP_LIMIT; 0 for the others."""
    stop_price: int
    """Of STOP and STOP_LIMIT; 0 for the others."""
    quantity: int


class Cancel(NamedTuple):
    kind: int
    session: int
    client_id: int
    target: int
    """Client id of the order, that of its last replace if it was replaced. Orders of the same session only."""


class Replace(NamedTuple):
    """New terms for an open order, which is from then on known by the client id of this input."""

    kind: int
    session: int
    client_id: int
    target: int
    price: int
    stop_price: int
    """Of a waiting stop; 0 for any other order."""
    quantity: int
    """The new total, executed lots included."""


class MassCancel(NamedTuple):
    """Cancels the open orders of a session, oldest first."""

    kind: int
    session: int
    client_id: int
    account: int
    """Only this account's; 0 for all."""
    symbol: int
    """Only this symbol's; 0 for all."""


class SessionEnded(NamedTuple):
    """Cancel-on-disconnect: cancels all open orders of a session. Its client ids stay used."""

    kind: int
    session: int


class PhaseChange(NamedTuple):
    """CLOSED expires the symbol's day orders."""

    kind: int
    symbol: int
    phase: int


class Kill(NamedTuple):
    """A kill switch. It is on from the sequence number of this input."""

    kind: int
    scope: int
    target: int
    """The account or the symbol; 0 for all."""
    switch: int


class ProposeLimits(NamedTuple):
    """Limits that a second person has to approve. It takes the place of a proposal for the account that waits."""

    kind: int
    account: int
    person: int
    max_position: int
    """Lots of one symbol, long or short, open orders counted at their worst."""
    max_daily_quantity: int
    """Lots of all symbols, executed since the day began or open."""
    max_quantity: int
    """Lots of one order."""
    max_notional_minor: int
    """Value of one order."""
    max_rate: int
    """Orders and replaces in one second of the engine's time."""


class ApproveLimits(NamedTuple):
    """The first approved limits open an account."""

    kind: int
    account: int
    person: int
    proposal: int
    """Sequence number of the proposal: what was seen is what is approved."""


class Time(NamedTuple):
    """The engine has no clock: its time is the last of these."""

    kind: int
    now_us: int
    """Microseconds since 1970; never less than before."""


class Day(NamedTuple):
    """A trading day begins: the daily quantities start at what is open."""

    kind: int
    day: int
    """Days since 1970; always more than before."""


class MarketData(NamedTuple):
    """The reference price of a symbol's collar."""

    kind: int
    symbol: int
    price: int


class List(NamedTuple):
    """A new symbol, closed at first. What is said of it here stays."""

    kind: int
    symbol: int
    tick_value_minor: int
    """Value of one lot for one tick of price."""
    collar_bp: int
    """How far from the reference price a limit may be, in hundredths of a percent; rounded towards the reference."""


INPUTS: dict[int, type[NamedTuple]] = {
    Input.NEW: New,
    Input.CANCEL: Cancel,
    Input.REPLACE: Replace,
    Input.MASS_CANCEL: MassCancel,
    Input.SESSION_ENDED: SessionEnded,
    Input.PHASE: PhaseChange,
    Input.KILL: Kill,
    Input.PROPOSE_LIMITS: ProposeLimits,
    Input.APPROVE_LIMITS: ApproveLimits,
    Input.TIME: Time,
    Input.DAY: Day,
    Input.MARKET_DATA: MarketData,
    Input.LIST: List,
}
"""The class of each kind; `checked` in records.py makes sure of its shape."""
