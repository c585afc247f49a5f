"""The numbers that stand for kinds, sides, phases, rules and reasons in records. Pure.

They are written to journals: a number is never given another meaning, a new one is added at the end.
"""

from enum import IntEnum

MAX_PRICE = 1_000_000_000
"""Ticks; no collar reaches further."""
MAX_QUANTITY = 1_000_000_000
"""Lots; no limit of size is higher. So the value of an order, in ticks × lots, fits a signed 64-bit integer."""
MAX_ID = 2**32 - 1
"""Of a session, account, symbol or person; 0 names none."""


class Input(IntEnum):
    """First field of an input."""

    NEW = 1
    CANCEL = 2
    REPLACE = 3
    MASS_CANCEL = 4
    SESSION_ENDED = 5
    PHASE = 6
    KILL = 7
    PROPOSE_LIMITS = 8
    APPROVE_LIMITS = 9
    TIME = 10
    DAY = 11
    MARKET_DATA = 12
    LIST = 13


class Outcome(IntEnum):
    """First field of an outcome."""

    ACKNOWLEDGED = 1
    REFUSED = 2
    EXECUTED = 3
    CANCELLED = 4
    EXPIRED = 5
    REPLACED = 6
    STOP_TRIGGERED = 7
    DONE = 8


class Side(IntEnum):
    BUY = 1
    SELL = 2


BUY, SELL = Side.BUY.value, Side.SELL.value
"""Plain integers: to compare with a member of an enumeration takes several times as long."""


class Type(IntEnum):
    MARKET = 1
    LIMIT = 2
    STOP = 3
    STOP_LIMIT = 4


class TimeInForce(IntEnum):
    DAY = 1
    GTC = 2
    IOC = 3
    FOK = 4


class Phase(IntEnum):
    CLOSED = 1
    CONTINUOUS = 2
    HALTED = 3


class Scope(IntEnum):
    """What a kill switch stops."""

    ALL = 1
    ACCOUNT = 2
    SYMBOL = 3


class Switch(IntEnum):
    """What a kill switch does."""

    OFF = 0
    KEEP = 1
    """New orders and replaces are refused; resting orders stay."""
    CANCEL = 2
    """The same, and resting orders and waiting stops are cancelled."""


class Rule(IntEnum):
    """Why an input was refused, or a triggered stop cancelled. In brackets: the two numbers that come with it."""

    NONE = 0
    MALFORMED = 1
    """A field is outside its range (value, position of the field in the record)."""
    UNKNOWN_SYMBOL = 2
    """(symbol, 0)"""
    UNKNOWN_ACCOUNT = 3
    """No limits were approved for it (account, 0)."""
    ID_NOT_RISING = 4
    """(client id, highest client id of the session)"""
    ALL_KILLED = 5
    """(sequence number of the input, number from which the switch is on)"""
    SYMBOL_KILLED = 6
    ACCOUNT_KILLED = 7
    PHASE = 8
    """(phase, phase in which it would be allowed)"""
    RATE = 9
    """(orders and replaces in this second with this one, limit)"""
    SIZE = 10
    """(lots, limit)"""
    NO_REFERENCE = 11
    """No market data has come for the symbol: the collar is unknown (symbol, 0)."""
    COLLAR_LOW = 12
    """(price, lowest price)"""
    COLLAR_HIGH = 13
    """(price, highest price)"""
    NOTIONAL = 14
    """(minor units, limit)"""
    POSITION = 15
    """(lots long or short at the worst, limit)"""
    DAILY_QUANTITY = 16
    """(lots executed today and open, limit)"""
    UNKNOWN_ORDER = 17
    """Not open in this session (client id, 0)."""
    SAME_PERSON = 18
    """Who proposed limits may not approve them (person, proposal)."""
    UNKNOWN_PROPOSAL = 19
    """Not the account's last open proposal (proposal, account)."""
    ALREADY_LISTED = 20
    """(symbol, 0)"""
    BACKWARDS = 21
    """Time or day did not advance (value, value now)."""


class Reason(IntEnum):
    """Why an order was cancelled."""

    REQUESTED = 1
    MASS_CANCEL = 2
    SESSION_ENDED = 3
    KILL_SWITCH = 4
    IOC = 5
    """The remainder of an immediate-or-cancel order."""
    FOK = 6
    """A fill-or-kill order that could not be filled whole."""
    MARKET_REMAINDER = 7
    """What a market order found nobody for inside the collar."""
    SELF_TRADE = 8
    """The remainder of an order that reached an order of its own account."""
    REPLACED_BELOW_FILLED = 9
    RISK = 10
    """A stop that was refused when it was triggered; the rule and its numbers stand beside."""
