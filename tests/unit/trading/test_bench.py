"""The bench of the trading engine offers the mix that it says, and tells whether its runs agree."""

import json

import pytest
from loadtests.trading import bench
from loadtests.trading.orders import mixed, opened
from loadtests.trading.volume import Numbering

from trading.domain.terms import Input, Outcome


def test_of_ten_inputs_six_rest_two_cancel_and_two_trade() -> None:
    engine = opened()
    first = [(record[0], [outcome[0] for outcome in engine.apply(record)]) for record in mixed(5_000, seed=3)]

    cancels = sum(kind == Input.CANCEL for kind, _ in first)
    trades = sum(Outcome.EXECUTED in outcomes for _, outcomes in first)
    rests = sum(outcomes == [Outcome.ACKNOWLEDGED] for _, outcomes in first)
    assert (0.6, 0.2, 0.2) == pytest.approx((rests / 5_000, cancels / 5_000, trades / 5_000), abs=0.03)
    assert not any(Outcome.REFUSED in outcomes for _, outcomes in first)


def test_the_last_line_is_json_and_all_runs_come_to_one_state(capsys: pytest.CaptureFixture[str]) -> None:
    status = bench.main(["--orders", "500", "--rounds", "1", "--path-rounds", "0", "--naive-rounds", "0"])

    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 == status
    assert document["same_state"]
    assert document["p50_us"] > 0


def test_a_report_that_is_missing_or_comes_twice_is_a_gap() -> None:
    def reports(*numbers: int) -> bytes:
        return b"".join(b"8=FIX.4.4\x019=9\x0135=8\x0149=VENUE\x0134=%d\x0152=-\x0110=000\x01" % one for one in numbers)

    numbering = Numbering(expected=2)
    numbering.see(reports(2, 3, 4))
    numbering.see(reports(5))
    assert 0 == numbering.gaps
    numbering.see(reports(7, 8))
    numbering.see(reports(8, 9))
    assert 2 == numbering.gaps


def test_a_number_of_messages_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["--messages", "0"])
    assert "--messages: at least 1, got 0" in capsys.readouterr().err
