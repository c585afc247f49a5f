"""The inputs of the trading bench: a crowd of accounts that rest, cancel and take, from a seed."""

import random

from trading.domain.engine import Engine
from trading.domain.terms import Input, Outcome, Phase, Side, TimeInForce, Type

SYMBOLS, ACCOUNTS = 8, 1_000
REFERENCE = 10_000
LIMITS = (1_000_000, 10_000_000, 10_000, 10_000_000_000, 1_000_000)
"""Position, daily quantity, size, notional, rate."""
SPREAD = 50
"""Limit orders rest 1 to this many ticks from the reference price; a taker crosses all of them."""

Record = tuple[int, ...]


def opening() -> list[Record]:
    """The inputs that make every symbol continuous and approve every account."""
    found: list[Record] = []
    for symbol in range(1, SYMBOLS + 1):
        found.append((Input.LIST, symbol, 1, 2_000))
        found.append((Input.MARKET_DATA, symbol, REFERENCE))
        found.append((Input.PHASE, symbol, Phase.CONTINUOUS))
    for account in range(1, ACCOUNTS + 1):
        found.append((Input.PROPOSE_LIMITS, account, 1, *LIMITS))
        found.append((Input.APPROVE_LIMITS, account, 2, len(found)))
    return found


def opened() -> Engine:
    """An engine with every symbol continuous and every account approved."""
    engine = Engine()
    for record in opening():
        engine.apply(record)
    return engine


def mixed(count: int, seed: int, accounts: int = ACCOUNTS) -> list[Record]:
    """60 % limit orders that rest, 20 % cancels of an order that is open, 20 % limit orders that trade at once. Each
    account has a session of the same number."""
    chance = random.Random(seed)
    rehearsal = opened()
    open_ids: list[tuple[int, int]] = []
    records: list[Record] = []
    for number in range(1, count + 1):
        roll = chance.random()
        session = chance.randrange(1, accounts + 1)
        record: Record
        if roll < 0.2 and (target := _open(rehearsal, open_ids, chance)):
            session, client_id = target
            record = (int(Input.CANCEL), session, number, client_id)
        else:
            record = _order(chance, session, number, takes=0.2 <= roll < 0.4)
            if roll >= 0.4:
                open_ids.append((session, number))
        assert rehearsal.apply(record)[0][0] != Outcome.REFUSED
        records.append(record)
    return records


def _order(chance: random.Random, session: int, client_id: int, takes: bool) -> Record:
    side = chance.choice((int(Side.BUY), int(Side.SELL)))
    away = -SPREAD if takes else chance.randrange(1, SPREAD + 1)
    return (
        int(Input.NEW),
        session,
        client_id,
        session,
        chance.randrange(1, SYMBOLS + 1),
        side,
        int(Type.LIMIT),
        int(TimeInForce.IOC if takes else TimeInForce.DAY),
        REFERENCE - away if side == Side.BUY else REFERENCE + away,
        0,
        chance.randrange(1, 100),
    )


def _open(engine: Engine, ids: list[tuple[int, int]], chance: random.Random) -> tuple[int, int] | None:
    """Takes a random order out of `ids` that is still open."""
    while ids:
        place = chance.randrange(len(ids))
        ids[place], ids[-1] = ids[-1], ids[place]
        session, client_id = ids.pop()
        if client_id in engine.sessions[session].orders:
            return session, client_id
    return None
