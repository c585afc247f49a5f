"""The engine process takes inputs from its ring, keeps them and answers; whatever ends it, the next one goes on where it was."""

import time
from itertools import count, pairwise

import pytest
from loadtests.trading.driven_engine import CONTEXT, SESSION, driven, order, shard

from fakes.full_disk import full_disk
from trading.adapters.board import Board
from trading.adapters.journal.reader import records
from trading.adapters.journal.verification import verify
from trading.adapters.layouts import (
    REPEATED,
    Between,
    Known,
    decode_input,
    decode_outcome,
    encode_input,
    flags_of,
    slots,
)
from trading.adapters.ring import Ring
from trading.adapters.snapshots import newest
from trading.domain.engine import Engine
from trading.domain.snapshot import snapshot
from trading.domain.terms import Input, Outcome, Side
from trading.processes.engine import EngineProcess
from trading.usecases.replay import replay


def test_an_order_is_in_the_journal_with_its_outcomes(tmp_path, capfd):
    with driven(shard(tmp_path)) as engine:
        engine.open_market()
        engine.send(order(1), order(2, Side.SELL, account=2))
        acknowledged, taker, first, second = engine.outcomes(4)
        engine.end()
    written = [
        [decode_input(slots(record)[0]), *map(decode_outcome, slots(record)[1:])]
        for _, record in records(tmp_path / "journal")
    ]

    assert [Outcome.ACKNOWLEDGED, Outcome.ACKNOWLEDGED, Outcome.EXECUTED, Outcome.EXECUTED] == [
        one[0] for one in (acknowledged, taker, first, second)
    ]
    assert [order(2, Side.SELL, account=2), taker, first, second] == written[-1]
    assert [] == verify(tmp_path / "journal").findings
    assert "" == capfd.readouterr().err


def test_what_it_was_sent_before_it_was_told_to_end_is_done(tmp_path):
    with driven(shard(tmp_path)) as engine:
        engine.open_market()
        engine.send(*(order(number) for number in range(1, 2001)))
        engine.end()
        said = engine.said_before_it_ended()

    assert 2000 == sum(1 for one in said if one[0] == Outcome.ACKNOWLEDGED)
    rebuilt = Engine()
    replay(rebuilt, records(tmp_path / "journal"))
    assert snapshot(rebuilt) == snapshot(newest(tmp_path / "snapshots"))


@pytest.mark.parametrize("level", ["process", "disk"])
def test_what_was_acknowledged_before_a_kill_is_there_after_it(tmp_path, level):
    settings, sent, acknowledged = shard(tmp_path, level=level), 0, set()
    for burst in range(3):
        with driven(settings) as engine:
            if not burst:
                engine.open_market()
            engine.wait_until_ready()
            for _ in range(3000):
                sent += 1
                engine.send(order(sent, price=1000 - sent % 7))
            acknowledged |= {one[2] for one in engine.outcomes(500) if one[0] == Outcome.ACKNOWLEDGED}
            engine.kill()
            acknowledged |= {one[2] for one in engine.said_before_it_ended() if one[0] == Outcome.ACKNOWLEDGED}

    with driven(settings) as engine:
        engine.wait_until_ready()
        engine.end()
    assert 500 <= len(acknowledged)
    kept = [slots(record) for _, record in records(tmp_path / "journal")]
    orders = [decode_input(one[0])[2] for one in kept if one[0][0] == Input.NEW and one[1][0] == Outcome.ACKNOWLEDGED]
    assert set() == acknowledged - set(orders)
    assert len(set(orders)) == len(orders)
    assert [] == verify(tmp_path / "journal").findings


def test_what_the_gateway_has_not_passed_on_is_said_again(tmp_path):
    with driven(shard(tmp_path)) as engine:
        engine.open_market()
        engine.send(order(1))
        engine.outcomes(1)
        engine.kill()

    with driven(shard(tmp_path)) as engine:
        messages = [engine.message() for _ in range(7)]

    assert {REPEATED} == {flags_of(one) for one in messages}
    assert Outcome.ACKNOWLEDGED == decode_outcome(messages[-1])[0]


def test_it_tells_what_it_knows_of_a_client_id(tmp_path):
    with driven(shard(tmp_path)) as engine:
        engine.open_market()
        engine.send(order(5), order(6, price=990), (Input.CANCEL, SESSION, 7, 6))
        engine.outcomes(3)
        engine.send(*((Between.STATUS_REQUEST, SESSION, 0, asked) for asked in (5, 6, 9)))
        known = [one[3] for one in engine.outcomes(3)]

    assert [Known.OPEN, Known.CLOSED, Known.NEVER_SEEN] == known


def test_a_full_ring_refuses_but_for_what_is_urgent(tmp_path):
    with driven(shard(tmp_path)) as engine:
        engine.wait_until_ready()
        engine.process.kill()
        engine.process.join()
        inputs = engine.inputs
        message = bytes(64)
        taken = 0
        while inputs.send(message):
            taken += 1

        assert inputs.send(message, urgent=True)
        assert 16384 - 256 == taken


def test_a_full_disk_costs_the_last_snapshot_and_not_the_end(tmp_path):
    board, inputs, outcomes = Board(), Ring(CONTEXT), Ring(CONTEXT)
    process, said = EngineProcess(shard(tmp_path), board, inputs.receiver(), outcomes.sender()), outcomes.receiver()
    process._take([encode_input(order(1))])
    with full_disk():
        process.close()

    messages = list(iter(said.next, None))
    assert [Between.MARK, Between.END] == [message[0] for message in messages][-2:]
    assert [] == list((tmp_path / "snapshots").iterdir())
    for shared in (board, inputs, outcomes):
        shared.unlink()


def test_a_full_disk_refuses_and_lets_in_again_whoever_comes_without_a_pause(tmp_path):
    board, inputs, outcomes = Board(), Ring(CONTEXT), Ring(CONTEXT)
    settings = shard(tmp_path, segment_bytes=16 * 4096)
    process, said = EngineProcess(settings, board, inputs.receiver(), outcomes.sender()), outcomes.receiver()
    answers: dict[int, list[int]] = {Between.JOURNAL_FULL: [], Outcome.REFUSED: []}
    ids = count(1)

    def take() -> None:
        process._take([encode_input(order(next(ids)))])
        for message in iter(said.next, None):
            if message[0] in answers:
                answers[message[0]].append(decode_outcome(message)[2])

    with full_disk():
        while len(answers[Between.JOURNAL_FULL]) < 3:
            take()
    refused = answers[Between.JOURNAL_FULL][0]
    until = time.monotonic() + 10
    while answers[Outcome.REFUSED][-1] < refused and time.monotonic() < until:
        take()
    process.journal.close()

    written = [decode_input(slots(record)[0]) for _, record in records(settings.journal)]
    assert refused < answers[Outcome.REFUSED][-1], "it was never tried again"
    assert answers[Outcome.REFUSED] == [record[2] for record in written if record[0] == Input.NEW]
    for shared in (board, inputs, outcomes):
        shared.unlink()


def test_an_engine_with_a_full_ring_shows_signs_of_life(tmp_path):
    board, inputs, outcomes = Board(), Ring(CONTEXT), Ring(CONTEXT)
    process = EngineProcess(shard(tmp_path), board, inputs.receiver(), outcomes.sender())
    sender, seen = inputs.sender(), [0]
    for number in range(1, 4097):
        sender.send(encode_input(order(number)))

    def beat() -> None:
        seen.append(process.engine.sequence)
        if process.engine.sequence >= 4096:
            process.end()

    process._beat = beat
    process.run()
    process.close()

    assert max(after - before for before, after in pairwise(seen)) <= 1024 + 256
    for shared in (board, inputs, outcomes):
        shared.unlink()
