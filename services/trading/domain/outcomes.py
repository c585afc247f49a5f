"""What the engine gives, as flat tuples of integers; see inputs.py. Pure.

Every outcome says all that a reader needs who sees outcomes only. The numbers fit 64 bits with sign.
"""

from typing import NamedTuple

from trading.domain.terms import Outcome


class Acknowledged(NamedTuple):
    """The order passed every check. Executions, a remainder cancelled and the like follow among the outcomes of the same input;
    what is then still open rests in the book, or waits for its stop price."""

    kind: int
    session: int
    client_id: int
    order_id: int
    account: int
    symbol: int
    side: int
    type: int
    time_in_force: int
    price: int
    stop_price: int
    quantity: int


class Refused(NamedTuple):
    """The input changed nothing, but that its client id is used (if that was in order) and counts for the rate."""

    kind: int
    session: int
    """0 for an input that has none, as `client_id`."""
    client_id: int
    rule: int
    value: int
    """What was asked, see `Rule`; 0 when it was no integer, the nearest one of 64 bits when it does not fit."""
    limit: int


class Executed(NamedTuple):
    """One side of a trade. A trade has two, with the same trade id: first the resting order's, then the arriving one's."""

    kind: int
    session: int
    client_id: int
    order_id: int
    account: int
    symbol: int
    side: int
    price: int
    quantity: int
    filled: int
    """Lots of the order executed so far."""
    open: int
    value: int
    """Sum of price × quantity over the order's executions: ÷ filled is the average price."""
    trade_id: int
    """Counts the symbol's trades from 1."""
    resting: int
    """1 for the resting order, 0 for the arriving one."""


class Cancelled(NamedTuple):
    kind: int
    session: int
    client_id: int
    order_id: int
    account: int
    symbol: int
    side: int
    quantity: int
    """Lots that were open."""
    reason: int
    request: int
    """Client id of the cancel, mass cancel or replace that asked for it; 0 when none did."""
    rule: int
    """Of a triggered stop that failed a check, with its two numbers; else 0."""
    value: int
    limit: int


class Expired(NamedTuple):
    """A day order at the close."""

    kind: int
    session: int
    client_id: int
    order_id: int
    account: int
    symbol: int
    side: int
    quantity: int


class Replaced(NamedTuple):
    kind: int
    session: int
    client_id: int
    order_id: int
    previous: int
    """Client id by which the order was known before."""
    price: int
    stop_price: int
    quantity: int
    open: int
    kept_priority: int


class StopTriggered(NamedTuple):
    """A waiting stop begins to run as a market or limit order; its executions follow."""

    kind: int
    session: int
    client_id: int
    order_id: int
    symbol: int
    last_price: int
    """The trade that reached it."""


class Done(NamedTuple):
    """An administrative input took effect, or a mass cancel is through."""

    kind: int
    session: int
    client_id: int
    input: int
    """Kind of the input."""
    number: int
    """Its sequence number: by this a proposal is approved."""


OUTCOMES: dict[int, type[NamedTuple]] = {
    Outcome.ACKNOWLEDGED: Acknowledged,
    Outcome.REFUSED: Refused,
    Outcome.EXECUTED: Executed,
    Outcome.CANCELLED: Cancelled,
    Outcome.EXPIRED: Expired,
    Outcome.REPLACED: Replaced,
    Outcome.STOP_TRIGGERED: StopTriggered,
    Outcome.DONE: Done,
}
