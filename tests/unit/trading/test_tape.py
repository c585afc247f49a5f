"""The tape tells everybody what was traded, without names, and how many inputs each rule refused."""

from trading.adapters.layouts import encode_input, encode_outcome
from trading.domain.engine import Engine
from trading.domain.terms import Input, Phase, Side, TimeInForce, Type
from trading.usecases.tape import KEPT_TRADES, Tape, TapedTrade

MARKET = (
    (Input.LIST, 1, 1, 5000),
    (Input.MARKET_DATA, 1, 1000),
    (Input.PHASE, 1, Phase.CONTINUOUS),
    *(
        record
        for account in (1, 2)
        for record in (
            (Input.PROPOSE_LIMITS, account, 1, 10**6, 10**6, 10**6, 10**9, 10**6),
            (Input.APPROVE_LIMITS, account, 2, 2 + 2 * account),
        )
    ),
)


def order(client_id, account, side, quantity, price=1000):
    return (Input.NEW, 7, client_id, account, 1, side, Type.LIMIT, TimeInForce.DAY, price, 0, quantity)


def journaled(*inputs):
    engine = Engine()
    for sequence, record in enumerate((*MARKET, *inputs), start=1):
        given = tuple(map(int, record))
        yield sequence, b"".join((encode_input(given), *map(encode_outcome, engine.apply(given))))


def test_a_trade_is_told_once_with_the_engines_time_and_the_side_that_arrived():
    tape = Tape(5)
    tape.take(
        journaled(
            order(1, 1, Side.BUY, 5),
            (Input.TIME, 77),
            order(2, 2, Side.SELL, 3),
            order(3, 1, Side.BUY, 1, price=9000),
            order(3, 1, Side.BUY, 1),
        )
    )

    assert [TapedTrade(1, 77, 1000, 3, Side.SELL)] == tape.last(1)
    assert {"collar_high": 1, "id_not_rising": 1} == tape.refused
    assert ([], 5) == (tape.last(2), tape.since_us)


def test_the_last_trades_are_kept():
    orders = [
        order(2 * at + side, side, Side.BUY if side == 1 else Side.SELL, 1)
        for at in range(KEPT_TRADES + 3)
        for side in (1, 2)
    ]
    tape = Tape(0)
    tape.take(journaled(*orders))

    assert list(range(4, KEPT_TRADES + 4)) == [one.number for one in tape.last(1)]
