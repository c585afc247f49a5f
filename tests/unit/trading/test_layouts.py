"""What fits its layout comes back as it was, and so does everything that the engine makes of it."""

from collections import Counter

import pytest

from fakes.trading_schedules import journaled
from trading.adapters.layouts import decode_input, decode_outcome, slots
from trading.adapters.ring import SLOT_BYTES
from trading.domain.engine import Engine
from trading.domain.terms import Input, Outcome
from trading.usecases.replay import ReplayDiffers, replay


def journal(engine: Engine, seed: int) -> list[tuple[int, bytes]]:
    """Random inputs, the worst among them, as the engine process would write them; what does not fit is refused before."""
    written = []
    for record, _, kept in journaled(engine, seed, 400):
        assert record == decode_input(slots(kept)[0])
        written.append((engine.sequence, kept))
    return written


def test_every_record_fits_and_comes_back() -> None:
    kinds: Counter[int] = Counter()
    for seed in range(40):
        engine, again = Engine(), Engine()
        for _, record in journal(engine, seed):
            message, *said = slots(record)
            outcomes = again.apply(decode_input(message))
            assert outcomes == [decode_outcome(one) for one in said]
            kinds.update(one[0] for one in outcomes)

    assert set(Outcome) == set(kinds)


def test_a_replay_stops_at_the_first_outcome_that_differs() -> None:
    written = journal(Engine(), 1)
    assert len(written) == replay(Engine(), written)
    at = next(index for index, (_, record) in enumerate(written) if len(record) > SLOT_BYTES and record[0] == Input.NEW)
    sequence, record = written[at]
    written[at] = (sequence, record[:-50] + bytes([record[-50] ^ 1]) + record[-49:])

    with pytest.raises(ReplayDiffers, match=f"input {sequence} ") as raised:
        replay(Engine(), written)
    assert sequence == raised.value.sequence
