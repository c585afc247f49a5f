"""Random inputs for the trading engine, from a seed: a small crowded world in which every rule is met, with bad input among it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from trading.adapters.layouts import NotEncodable, encode_input, encode_outcome
from trading.domain.engine import Engine
from trading.domain.terms import Input, Phase, Scope, Side, Switch, TimeInForce, Type

SYMBOLS, ACCOUNTS, SESSIONS = (1, 2), (1, 2, 3, 4, 5), (1, 2, 3, 4, 5)
REFERENCE = 100
WIDE, TIGHT = (90, 2_000, 40, 8_000, 40), (30, 150, 40, 8_000, 40)
CHANGED = ((30, 90), (150, 2_000), (20, 40), (2_000, 8_000), (3, 40))
EXTREMES = (0, -1, 1, 2, 5, 99, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63))

Record = tuple[int, ...]


def opening(limits: tuple[int, ...] = WIDE) -> Iterator[Record]:
    """Symbols with a market price, and accounts with limits; all continuous."""
    for symbol in SYMBOLS:
        yield (int(Input.LIST), symbol, symbol, 600)
        yield (int(Input.MARKET_DATA), symbol, REFERENCE)
        yield (int(Input.PHASE), symbol, int(Phase.CONTINUOUS))
    for place, account in enumerate(ACCOUNTS):
        yield (int(Input.PROPOSE_LIMITS), account, 1, *limits)
        yield (int(Input.APPROVE_LIMITS), account, 2, 7 + 2 * place)
    yield (int(Input.TIME), 1_000_000)


@dataclass
class Schedule:
    """An endless, reproducible row of inputs."""

    seed: int
    number: int = 0
    now_us: int = 1_000_000
    day: int = 0
    last_id: dict[int, int] = field(default_factory=lambda: dict.fromkeys(SESSIONS, 0))
    proposals: list[tuple[int, int, int]] = field(default_factory=list)
    named: list[tuple[int, int]] = field(default_factory=list)
    """Session and client id of orders and replaces that were sent."""
    terms: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)
    """Their price, stop price and quantity."""

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.killed = (int(Scope.ALL), 0)
        # Some worlds have many stops, some many administrators, some much nonsense.
        self.stops = self.random.choice((0.1, 0.1, 0.5))
        self.turmoil = self.random.choice((0.02, 0.1))
        self.limits = self.random.choice((WIDE, WIDE, TIGHT))
        self.nonsense = self.random.choice((0.0, 0.02, 0.1))

    def records(self, count: int) -> Iterator[Record]:
        """The opening and `count` inputs."""
        for record in opening(self.limits):
            self.number += 1
            yield record
        for _ in range(count):
            self.number += 1
            yield self._garbled(self._next())

    def _next(self) -> Record:
        roll = self.random.random()
        if roll < self.turmoil:
            return self._administration()
        if roll < self.turmoil + 0.06:
            self.now_us += self.random.choice((1_000, 300_000, 2_000_000))
            return (int(Input.TIME), self.now_us)
        kind = self.random.random()
        if kind < 0.68:
            return self._order()
        if kind < 0.985:
            session, target = self._some_order()
            client_id = self._next_id(session)
            if kind < 0.75:
                return (int(Input.CANCEL), session, client_id, target)
            return self._replace(session, client_id, target)
        session = self.random.choice(SESSIONS)
        client_id = self._next_id(session)
        if kind < 0.995:
            account, symbol = self.random.choice((0, *ACCOUNTS)), self.random.choice((0, *SYMBOLS))
            return (int(Input.MASS_CANCEL), session, client_id, account, symbol)
        return (int(Input.SESSION_ENDED), session)

    def _replace(self, session: int, client_id: int, target: int) -> Record:
        price, stop_price, quantity = self.terms.get((session, target), (self._price(), 0, 10))
        roll = self.random.random()
        if roll < 0.5:
            price = price and self._price()
        elif roll < 0.6:
            stop_price = stop_price and self._price()
        elif roll < 0.65:
            stop_price = 0  # as it should be when the stop has run
        quantity = max(0, self.random.choice((0, quantity, quantity - 1, quantity // 2, quantity + 3)))
        self.named.append((session, client_id))
        self.terms[session, client_id] = (price, stop_price, quantity)
        return (int(Input.REPLACE), session, client_id, target, price, stop_price, quantity)

    def _order(self) -> Record:
        session = self.random.choice(SESSIONS)
        client_id = self._next_id(session)
        stop = self.random.random() < self.stops
        market = self.random.random() < 0.15
        type = (Type.STOP if market else Type.STOP_LIMIT) if stop else (Type.MARKET if market else Type.LIMIT)
        price, stop_price = 0 if market else self._price(), self._price() if stop else 0
        quantity = self.random.choice((*(1, 2, 3, 5, 5, 8, 10, 10, 15, 20) * 4, 41))
        self.named.append((session, client_id))
        self.terms[session, client_id] = (price, stop_price, quantity)
        return (
            int(Input.NEW),
            session,
            client_id,
            self.random.choice((session, session, session, *ACCOUNTS)),
            self.random.choice((*SYMBOLS * 20, 3)),
            int(self.random.choice(list(Side))),
            int(type),
            int(self.random.choice((*(TimeInForce.DAY,) * 4, *TimeInForce))),
            price,
            stop_price,
            quantity,
        )

    def _price(self) -> int:
        return REFERENCE + self.random.choice((*range(-4, 5), *range(-2, 3), *range(-2, 3), *range(-8, 9)))

    def _next_id(self, session: int) -> int:
        self.last_id[session] += self.random.choice((*(1,) * 30, 3, 0))
        return self.last_id[session]

    def _some_order(self) -> tuple[int, int]:
        """Session and client id; more likely one of the last."""
        if not self.named:
            return self.random.choice(SESSIONS), 1
        return self.named[-1 - int(self.random.expovariate(0.1)) % len(self.named)]

    def _administration(self) -> Record:
        choose = self.random.choice
        symbol, account = choose(SYMBOLS), choose(ACCOUNTS)
        match choose(
            ("phase", "open", "open", "kill", "off", "off", "propose", "approve", "approve", "day", "price", "list")
        ):
            case "phase":
                return (int(Input.PHASE), choose((*SYMBOLS, 3)), int(choose(list(Phase))))
            case "open":
                return (int(Input.PHASE), symbol, int(Phase.CONTINUOUS))
            case "kill":
                self.killed = (int(choose(list(Scope))), choose((1, 2, 3)))
                return (int(Input.KILL), *self.killed, int(choose(list(Switch))))
            case "off":
                return (int(Input.KILL), *self.killed, int(Switch.OFF))
            case "propose":
                person = choose((1, 2))
                self.proposals.append((account, person, self.number))
                limits = tuple(choose(pair) for pair in CHANGED)
                return (int(Input.PROPOSE_LIMITS), account, person, *limits)
            case "approve" if self.proposals:
                account, person, number = choose(self.proposals[-3:])
                return (int(Input.APPROVE_LIMITS), account, choose((person, 3 - person, 3 - person)), number)
            case "day":
                self.day += choose((0, 1, 1))
                return (int(Input.DAY), self.day)
            case "list":
                return (int(Input.LIST), choose((*SYMBOLS, 3)), 1, choose((600, 10_001)))
        return (int(Input.MARKET_DATA), symbol, REFERENCE + choose((-3, -1, 0, 0, 1, 3)))

    def _garbled(self, record: Record) -> Record:
        """Now and then one field is something else."""
        if self.random.random() >= self.nonsense:
            return record
        field = self.random.randrange(1, len(record))
        value = self.random.choice(EXTREMES)
        if record[0] in (Input.TIME, Input.DAY) and value > self.now_us:
            value = 0  # the end of time would end every schedule
        if field == 2 and record[0] in (Input.NEW, Input.CANCEL, Input.REPLACE, Input.MASS_CANCEL) and value > 0:
            value = 0  # the highest id would end every session
        return (*record[:field], value, *record[field + 1 :])


def journaled(engine: Engine, seed: int, count: int) -> Iterator[tuple[Record, list[Record], bytes]]:
    """Each input of a schedule that a journal can hold, the engine's outcomes of it, and both as one record of the journal."""
    for record in Schedule(seed).records(count):
        try:
            given = encode_input(record)
        except NotEncodable:
            continue  # no gateway lets it in
        outcomes = engine.apply(record)
        yield record, outcomes, b"".join([given, *map(encode_outcome, outcomes)])
