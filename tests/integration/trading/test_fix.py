"""Orders by FIX over TCP, and the session level: gaps, repeats, numbers too low and too high, garbage."""

import pytest

from trading.adapters.control_client import ask
from trading.domain.terms import Input, Scope


def fields(message, *tags):
    return [value and value.decode() for value in map(message.get, tags)]


def test_two_orders_trade(market):
    with market.client() as client:
        client.log_on()
        client.order(1, side=1, quantity=5, account=1)
        assert ["0", "0", "1", "5"] == fields(client.receive("8"), 150, 39, 11, 151)
        client.order(2, side=2, quantity=3, account=2)
        client.receive("8")
        resting, arriving = client.receive("8"), client.receive("8")

    assert ["F", "1", "1", "10.00", "3", "2", "3", "10.0000"] == fields(resting, 150, 39, 11, 31, 32, 151, 14, 6)
    assert ["F", "2", "2", client.symbol, "2"] == fields(arriving, 150, 39, 11, 55, 54)


def test_cancel_replace_mass_cancel_and_status(market):
    with market.client() as client:
        client.log_on()
        client.order(1)
        client.receive("8")
        client.send("G", (11, 2), (41, 1), (55, client.symbol), (54, 1), (40, 2), (44, "9.99"), (38, 7))
        assert ["5", "2", "1", "7"] == fields(client.receive("8"), 150, 11, 41, 151)
        client.send("H", (11, 2), (55, client.symbol), (54, 1))
        assert ["I", "0", "9.99"] == fields(client.receive("8"), 150, 39, 44)
        client.send("F", (11, 3), (41, 2), (55, client.symbol), (54, 1), (38, 7))
        assert ["4", "4", "3", "2"] == fields(client.receive("8"), 150, 39, 11, 41)
        client.send("F", (11, 4), (41, 2), (55, client.symbol), (54, 1), (38, 7))
        assert ["4", "2", "1"] == fields(client.receive("9"), 11, 41, 434)
        client.send("H", (11, 2), (55, client.symbol), (54, 1))
        assert ["I", "4"] == fields(client.receive("8"), 150, 39)
        client.send("H", (11, 99), (55, client.symbol), (54, 1))
        assert ["I", "8", "5"] == fields(client.receive("8"), 150, 39, 103)
        client.order(5)
        client.order(6)
        client.receive("8"), client.receive("8")
        client.send("q", (11, 7), (530, 7))
        assert [["4", "5"], ["4", "6"]] == [fields(client.receive("8"), 39, 11) for _ in range(2)]
        assert ["7", "7"] == fields(client.receive("r"), 11, 531)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ((44, "10.001"), "tag 44"),
        ((44, "NaN"), "tag 44"),
        ((44, "-1"), "tag 44"),
        ((44, "9" * 30), "tag 44"),
        ((38, "0"), "tag 38"),
        ((38, "1.5"), "tag 38"),
        ((11, "007"), "tag 11"),
        ((11, "9" * 25), "tag 11"),
        ((55, "NOBODY"), "no symbol"),
        ((1, "3"), "account 3"),
        ((54, "9"), "tag 54"),
        ((44, "999"), "COLLAR_HIGH"),
    ],
    ids=str,
)
def test_what_is_no_order_is_refused_with_its_value(market, changed, said):
    with market.client() as client:
        client.log_on()
        usual = {11: 1, 1: 1, 55: client.symbol, 54: 1, 40: 2, 44: "10.00", 38: 1}
        client.send("D", *{**usual, **dict([changed])}.items())
        report = client.receive("8")

    assert ["8", "8"] == fields(report, 150, 39)
    assert said in report.get(58).decode()


def test_a_gap_is_asked_for_and_filled(market):
    with market.client() as client:
        client.log_on()
        client.next_out += 2
        client.order(5)
        assert ["2", "0"] == fields(client.receive("2"), 7, 16)
        client.send("4", (43, "Y"), (123, "Y"), (36, 4), number=2)
        client.send(
            "D", (43, "Y"), (11, 5), (1, 1), (55, client.symbol), (54, 1), (40, 2), (44, "10"), (38, 1), number=4
        )
        assert ["0", "5"] == fields(client.receive("8"), 150, 11)
        client.send(
            "D", (43, "Y"), (11, 5), (1, 1), (55, client.symbol), (54, 1), (40, 2), (44, "10"), (38, 1), number=4
        )
        client.next_out = 5
        client.send("1", (112, "still there"))
        assert ["still there"] == fields(client.receive("0"), 112)


def test_reports_that_were_missed_are_sent_again(market):
    with market.client() as client, market.client() as other:
        client.log_on()
        client.order(1, quantity=2)
        client.receive("8")
        client.send("5")
        client.receive("5")
        other.log_on()
        other.symbol = client.symbol
        other.order(1, side=2, account=2)
        other.receive("8"), other.receive("8")

    with client.again() as client:
        assert 5 == int(client.log_on().get(34))
        client.send("2", (7, 2), (16, 0))
        again = [client.receive("8", "4") for _ in range(4)]

    expected = [["8", "2", "Y", "0"], ["4", "3", "Y", None], ["8", "4", "Y", "F"], ["4", "5", "Y", None]]
    assert expected == [fields(one, 35, 34, 43, 150) for one in again]


def test_a_number_too_low_ends_the_session(market):
    with market.client() as client:
        client.log_on()
        client.order(1)
        client.receive("8")
        client.send("0", number=1)
        assert "MsgSeqNum too low, expecting 3 but received 1" == client.receive("5").get(58).decode()


def test_garbage_costs_only_itself(market):
    with market.client() as client:
        client.log_on()
        whole = client.message("D", 2, (11, 1), (1, 1), (55, client.symbol), (54, 1), (40, 2), (44, "10"), (38, 1))
        client.socket.sendall(b"GET / HTTP/1.1\r\n\r\n" + whole[:-4] + b"999\x01"[:4] + b"8=FIX.4.4\x019=x\x01")
        client.order(1)
        assert ["0", "1"] == fields(client.receive("8"), 150, 11)


def test_a_message_that_is_too_long_ends_the_connection(market):
    with market.client() as client:
        client.log_on()
        client.send("D", (58, "x" * 5000))
        assert "4096 are taken" in client.receive("5").get(58).decode()
        with pytest.raises(ConnectionResetError):
            client.receive("5")


@pytest.mark.parametrize("wrong", ["password", "company", "no logon"])
def test_a_stranger_is_not_answered(market, wrong):
    with market.client() as client:
        if wrong == "company":
            client.company = "NOBODY"
        if wrong == "no logon":
            client.order(1)
        else:
            client.send("A", (98, 0), (108, 30), (554, "wrong" if wrong == "password" else "secret"))

        with pytest.raises(ConnectionResetError):
            client.receive()


def test_orders_leave_with_the_connection_where_asked(market):
    with market.client(leaving=True) as leaving, market.client() as client:
        for one in (leaving, client):
            one.log_on()
            one.order(1)
            one.receive("8")
        for one in (leaving, client):
            one.send("5")
            one.receive("5")
        with leaving.again() as back:
            back.log_on()
            back.send("2", (7, 4), (16, 0))
            while (report := back.receive("8", "4")).get(35) != b"8":
                pass
        with client.again() as client:
            client.log_on()
            client.send("H", (11, 1), (55, client.symbol), (54, 1))
            status = client.receive("8")

    assert ["4", "SESSION_ENDED"] == fields(report, 150, 58)
    assert ["I", "0"] == fields(status, 150, 39)


def test_a_kill_switch_is_told_by_rule(market):
    with market.client() as client:
        client.log_on()
        client.order(1)
        client.receive("8")
        ask(market.settings.folder / "control", Input.KILL, Scope.SYMBOL, client.number, 2)
        assert ["4", "KILL_SWITCH"] == fields(client.receive("8"), 150, 58)
        client.order(2)
        assert "SYMBOL_KILLED" in client.receive("8").get(58).decode()
