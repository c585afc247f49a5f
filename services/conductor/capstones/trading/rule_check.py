"""Says what every order of a journal should have been answered, by limits, kill switches and phases, and where the engine said otherwise.

Written from docs/trading-rules.md, and without any code of the service. Not judged: orders that were refused before any of these rules
is asked (client id, malformed, unknown symbol or account), replaces, and stops when they run. Their effects are followed.
"""

import struct
from collections import defaultdict
from dataclasses import dataclass, field

LIST, MARKET_DATA, PHASE, KILL, PROPOSE, APPROVE, TIME, DAY, NEW, REPLACE = 13, 12, 6, 7, 8, 9, 10, 11, 1, 3
ACKNOWLEDGED, REFUSED, EXECUTED, CANCELLED, EXPIRED, REPLACED = 1, 2, 3, 4, 5, 6
RULES = {
    5: "ALL_KILLED",
    6: "SYMBOL_KILLED",
    7: "ACCOUNT_KILLED",
    8: "PHASE",
    9: "RATE",
    10: "SIZE",
    11: "NO_REFERENCE",
    12: "COLLAR_LOW",
    13: "COLLAR_HIGH",
    14: "NOTIONAL",
    15: "POSITION",
    16: "DAILY_QUANTITY",
}
"""Of an order, by number, all that are judged."""
ALL, ACCOUNT, SYMBOL = 1, 2, 3
OFF, CANCEL = 0, 2
BUY, CONTINUOUS, BY_KILL_SWITCH = 1, 2, 4
BP, SECOND_US, LARGEST, HIGHEST_PRICE = 10_000, 1_000_000, 2**63 - 1, 1_000_000_000

_INPUTS = {
    NEW: "BIqIIBBBqqq",
    REPLACE: "BIqqqqq",
    PHASE: "Bqq",
    KILL: "Bqqq",
    PROPOSE: "BIIqqqqq",
    APPROVE: "BIIq",
    TIME: "Bq",
    DAY: "Bq",
    MARKET_DATA: "Bqq",
    LIST: "Bqqq",
}
_OUTCOMES = {
    ACKNOWLEDGED: "BIqqIIBBBqqq",
    REFUSED: "BIqIqq",
    EXECUTED: "BIqqIIBIIIIqqB",
    CANCELLED: "BIqqIIBIBqHqq",
    EXPIRED: "BIqqIIBI",
    REPLACED: "BIqqqqqIIB",
}
INPUTS = {kind: struct.Struct("<" + fields) for kind, fields in _INPUTS.items()}
OUTCOMES = {kind: struct.Struct("<" + fields) for kind, fields in _OUTCOMES.items()}

Record = tuple[int, ...]
Said = tuple[str, int, int]
"""A rule and its two numbers."""


@dataclass(slots=True)
class _Account:
    limits: Record
    """Position, daily quantity, size, notional, rate."""
    daily: int = 0
    second: int = 0
    sent: int = 0
    killed_from: int = 0


@dataclass(slots=True)
class _Symbol:
    tick_value: int
    collar_bp: int
    reference: int = 0
    phase: int = 1
    killed_from: int = 0

    @property
    def collar(self) -> tuple[int, int]:
        low = -(-self.reference * (BP - self.collar_bp) // BP)
        return max(1, low), min(HIGHEST_PRICE, self.reference * (BP + self.collar_bp) // BP)


@dataclass(slots=True)
class _Open:
    account: int
    symbol: int
    side: int
    lots: int


@dataclass(slots=True)
class RuleCheck:
    """Follows a journal from its beginning."""

    wrong: list[str] = field(default_factory=list)
    """What the engine did against the rules, in sentences."""
    _accounts: dict[int, _Account] = field(default_factory=dict)
    _symbols: dict[int, _Symbol] = field(default_factory=dict)
    _open: dict[int, _Open] = field(default_factory=dict)
    _ids: dict[tuple[int, int], int] = field(default_factory=dict)
    """Order ids by session and client id."""
    _position: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    _waiting: defaultdict[tuple[int, int, int], int] = field(default_factory=lambda: defaultdict(int))
    """Open lots by account, symbol and side."""
    _proposals: dict[int, tuple[int, Record]] = field(default_factory=dict)
    _second: int = 0
    _killed_from: int = 0

    def follow(self, sequence: int, message: bytes, messages: list[bytes]) -> Said | None:
        """Take the next input with its outcomes. Returns by which rule an order was refused, when it is one that is judged."""
        outcomes = [OUTCOMES[one[0]].unpack_from(one) for one in messages if one[0] in OUTCOMES]
        refused = next((one for one in outcomes if one[0] == REFUSED), None)
        said: Said | None = None
        if message[0] == NEW:
            said = self._judge(sequence, INPUTS[NEW].unpack_from(message), refused)
        elif message[0] == REPLACE and (not refused or refused[3] in RULES) and outcomes:
            self._count_replace(INPUTS[REPLACE].unpack_from(message))
        elif message[0] in INPUTS and refused is None:
            self._administer(sequence, INPUTS[message[0]].unpack_from(message))
        for outcome in outcomes:
            self._take(sequence, outcome)
        if message[0] == KILL and refused is None:
            self._look_at_resting(sequence, INPUTS[KILL].unpack_from(message), outcomes)
        return said

    def _judge(self, sequence: int, order: Record, refused: Record | None) -> Said | None:
        if refused is not None and refused[3] not in RULES:
            return None
        expected = self._breach(sequence, order)
        said = (RULES[refused[3]], refused[4], refused[5]) if refused else None
        if expected != said:
            self.wrong.append(
                f"order {order[1]}:{order[2]}, input {sequence}: {_words(said)}, and by the rules {_words(expected)}"
            )
        return said

    def _breach(self, sequence: int, order: Record) -> Said | None:
        _, _, _, number, symbol_number, side, _, _, price, stop_price, quantity = order
        # What nobody approved or listed may do nothing.
        account = self._accounts.setdefault(number, _Account((0,) * 5))
        symbol = self._symbols.setdefault(symbol_number, _Symbol(1, 0))
        position, daily, size, notional, rate = account.limits
        sent = self._sent(account)
        if sent > rate:
            return "RATE", sent, rate
        if (barred := self._barred(sequence, account, symbol)) is not None:
            return barred
        low, high = symbol.collar
        if not stop_price:
            price = price or high
            if not symbol.reference:
                return "NO_REFERENCE", symbol_number, 0
            if price < low:
                return "COLLAR_LOW", price, low
            if price > high:
                return "COLLAR_HIGH", price, high
        price = price or stop_price
        if quantity > size:
            return "SIZE", quantity, size
        if (value := price * quantity * symbol.tick_value) > notional:
            return "NOTIONAL", min(value, LARGEST), notional
        held = self._position[number, symbol_number] * (1 if side == BUY else -1)
        if (worst := held + self._waiting[number, symbol_number, side] + quantity) > position:
            return "POSITION", worst, position
        if account.daily + quantity > daily:
            return "DAILY_QUANTITY", account.daily + quantity, daily
        return None

    def _barred(self, sequence: int, account: _Account, symbol: _Symbol) -> Said | None:
        if self._killed_from:
            return "ALL_KILLED", sequence, self._killed_from
        if symbol.killed_from:
            return "SYMBOL_KILLED", sequence, symbol.killed_from
        if account.killed_from:
            return "ACCOUNT_KILLED", sequence, account.killed_from
        return ("PHASE", symbol.phase, CONTINUOUS) if symbol.phase != CONTINUOUS else None

    def _sent(self, account: _Account) -> int:
        account.second, account.sent = self._second, account.sent + 1 if account.second == self._second else 1
        return account.sent

    def _count_replace(self, record: Record) -> None:
        found = self._open.get(self._ids.get((record[1], record[3]), 0))
        if found:
            self._sent(self._accounts[found.account])

    def _administer(self, sequence: int, record: Record) -> None:
        kind = record[0]
        if kind == LIST:
            self._symbols[record[1]] = _Symbol(record[2], record[3])
        elif kind == MARKET_DATA:
            self._symbols[record[1]].reference = record[2]
        elif kind == PHASE:
            self._symbols[record[1]].phase = record[2]
        elif kind == KILL:
            self._switch(sequence, record)
        elif kind == PROPOSE:
            self._proposals[record[1]] = sequence, record[3:]
        elif kind == APPROVE:
            limits = self._proposals.pop(record[1])[1]
            self._accounts.setdefault(record[1], _Account(limits)).limits = limits
        elif kind == TIME:
            self._second = record[1] // SECOND_US
        elif kind == DAY:
            for number, account in self._accounts.items():
                account.daily = sum(lots for (owner, _, _), lots in self._waiting.items() if owner == number)

    def _switch(self, sequence: int, record: Record) -> None:
        _, scope, target, switch = record
        if scope == ALL:
            self._killed_from = (self._killed_from or sequence) if switch else 0
            return
        stopped = self._accounts[target] if scope == ACCOUNT else self._symbols[target]
        stopped.killed_from = (stopped.killed_from or sequence) if switch else 0

    def _look_at_resting(self, sequence: int, record: Record, outcomes: list[Record]) -> None:
        """Orders that rest are left alone, or cancelled all, as it was asked."""
        _, scope, target, switch = record
        if switch == CANCEL:
            left = [
                id
                for id, one in self._open.items()
                if scope == ALL or target == (one.account if scope == ACCOUNT else one.symbol)
            ]
            if left:
                self.wrong.append(f"kill switch, input {sequence}: orders {left[:5]} were to be cancelled, and rest")
        elif any(one[0] == CANCELLED for one in outcomes):
            self.wrong.append(f"kill switch, input {sequence}: orders were to rest, and were cancelled")

    def _take(self, sequence: int, outcome: Record) -> None:
        kind = outcome[0]
        if kind == ACKNOWLEDGED:
            id, account, symbol, side, *_, quantity = outcome[3:]
            self._open[id], self._ids[outcome[1], outcome[2]] = _Open(account, symbol, side, 0), id
            self._change(id, quantity)
            self._accounts[account].daily += quantity
        elif kind == EXECUTED:
            self._execute(sequence, outcome)
        elif kind in (CANCELLED, EXPIRED):
            if found := self._open.get(outcome[3]):
                self._accounts[found.account].daily -= found.lots
                self._change(outcome[3], -found.lots)
        elif kind == REPLACED and (found := self._open.get(outcome[3])):
            self._ids[outcome[1], outcome[2]] = outcome[3]
            more = outcome[8] - found.lots
            self._accounts[found.account].daily += more
            self._change(outcome[3], more)

    def _execute(self, sequence: int, outcome: Record) -> None:
        _, _, _, id, account, symbol, side, _, lots, _, left, _, trade, resting = outcome
        found = self._open.get(id)
        if found is None or found.lots - lots != left:
            has = found.lots if found else 0
            self.wrong.append(
                f"trade {symbol}-{trade}, input {sequence}: order {id} has {has} lots open, {lots} of it traded"
            )
        if (
            self._killed_from
            or self._symbols[symbol].killed_from
            or (self._accounts[account].killed_from and not resting)
        ):
            self.wrong.append(
                f"trade {symbol}-{trade}, input {sequence}: order {id} traded while its kill switch is on"
            )
        self._position[account, symbol] += lots if side == BUY else -lots
        if found is not None:
            self._change(id, -lots)

    def _change(self, id: int, lots: int) -> None:
        found = self._open[id]
        found.lots += lots
        self._waiting[found.account, found.symbol, found.side] += lots
        if found.lots <= 0:
            del self._open[id]


def _words(said: Said | None) -> str:
    return f"{said[0]} ({said[1]}, limit {said[2]})" if said else "it was taken"
