"""REST for people, over a real engine pool: orders, what became of them, books, and what operators do."""

import json
import os
import signal
import socket

from engine_pool import EnginePool
from fix_client import FixClient

ORDER = {"account": 1, "symbol": "SYM1", "side": "buy", "price": "10.05", "quantity": 3}


def test_a_day_of_orders(pool: EnginePool) -> None:
    pool.serve()

    # An order, its state, and the same id once more.
    placed = pool.call("POST", "/orders", client_id=1, **ORDER)
    assert (placed.status_code, placed.json()["state"], placed.json()["price"]) == (201, "open", "10.05")
    assert [one["outcome"] for one in placed.json()["outcomes"]] == ["acknowledged"]
    again = pool.call("POST", "/orders", client_id=1, **ORDER)
    assert (again.status_code, again.json()["repeated"], again.json()["state"]) == (201, True, "open")
    assert pool.call("GET", "/orders/2").json() == {"client_id": 2, "state": "not_taken"}

    # The client asks for its order of REST by FIX.
    pool.until(lambda: pool.call("GET", "/books/SYM1").json()["bids"] == [{"price": "10.05", "quantity": 3}])
    replaced = pool.call("PUT", "/orders/1", client_id=2, price="10.06", quantity=2)
    assert (replaced.json()["open"], replaced.json()["price"]) == (2, "10.06")
    with FixClient(pool.fix_port) as client:
        client.log_on()
        client.send("H", (11, 2), (55, "SYM1"), (54, 1))
        assert client.receive("8").get(151) == b"2"
    cancelled = pool.call("DELETE", "/orders/2?client_id=3")
    assert [one["reason"] for one in cancelled.json()["outcomes"]] == ["requested"]
    assert pool.call("GET", "/orders/2").json()["state"] == "closed"

    # What cannot be, with its reason.
    for client_id, (wrong, status, told) in enumerate(
        (
            ({"price": "NaN"}, 422, "NaN"),
            ({"price": None}, 422, "needs one"),
            ({"price": "10.001"}, 422, "10.001"),
            ({"symbol": "NONE"}, 422, "NONE"),
            ({"account": 2}, 422, "account 2"),
            ({"quantity": 0}, 422, "quantity"),
            ({"price": "90.00"}, 422, "collar_high"),
            ({"quantity": 10**7}, 422, "size"),
        ),
        start=10,
    ):
        answer = pool.call("POST", "/orders", **{"client_id": client_id, **ORDER, **wrong})
        assert (answer.status_code, told in answer.text) == (status, True), answer.text

    # Operators: clients may not, one person alone may not, the kill switch holds.
    assert pool.call("POST", "/kill-switch", switch="keep").status_code == 403
    assert pool.call("POST", "/orders", "first-operator", client_id=20, **ORDER).status_code == 403
    assert pool.call("POST", "/orders", "nobody", client_id=20, **ORDER).status_code == 401
    limits = {"max_quantity": 5, "max_notional_minor": 10**6, "max_rate": 100}
    proposal = pool.call("POST", "/accounts/1/limits", "first-operator", **limits).json()["proposal"]
    same = pool.call("PUT", f"/accounts/1/limits/{proposal}", "first-operator")
    assert (same.status_code, "same_person" in same.text) == (422, True)
    assert pool.call("PUT", f"/accounts/1/limits/{proposal}", "second-operator").status_code == 200
    assert pool.call("PUT", "/symbols/SYM1", "first-operator").json() == {"listed": "already"}
    assert pool.call("POST", "/kill-switch", "first-operator", switch="keep").status_code == 200
    killed = pool.call("POST", "/orders", client_id=600, **ORDER)
    assert (killed.status_code, "all_killed" in killed.text) == (422, True)
    assert pool.call("POST", "/kill-switch", "first-operator", switch="off").status_code == 200
    assert pool.call("POST", "/orders", client_id=601, **ORDER).status_code == 201


def test_an_order_without_an_answer_is_unknown_until_asked_for(patient_pool: EnginePool) -> None:
    pool = patient_pool
    pool.serve()
    engine = pool.children()["engine"].pid
    os.kill(engine, signal.SIGSTOP)
    try:
        answer = pool.call("POST", "/orders", client_id=1, **ORDER)
    finally:
        os.kill(engine, signal.SIGCONT)

    assert answer.status_code == 504
    assert "unknown" in answer.json()["detail"]
    pool.until(lambda: pool.call("GET", "/orders/1").status_code == 200)
    assert pool.call("GET", "/orders/1").json()["state"] == "open"
    again = pool.call("POST", "/orders", client_id=1, **ORDER).json()
    assert ("open", True) == (again["state"], again["repeated"])


def test_the_door_takes_nothing_from_who_has_no_token_or_asks_for_nonsense(pool: EnginePool) -> None:
    def said(line: bytes) -> dict[str, str]:
        with socket.create_connection(("127.0.0.1", pool.door_port), 5) as sock, sock.makefile("rb") as file:
            sock.sendall(line + b"\n")
            answer: dict[str, str] = json.loads(file.readline())
            return answer

    for line in (
        b"",
        b"nonsense",
        b"[" * 3000,
        b"[7, 1, 0, 1]",
        b'{"input": [7, 1, 0, 1]}',
        b'{"token": "x", "input": [7, 1, 0, 1]}',
        b'{"token": "secret", "input": [7, 1, 0, 1]}',
        b'{"token": "secret", "input": [1, 2, 1, 1, 1, 1, 2, 1, 1000, 0, 1]}',
        b'{"token": "secret", "status": "one"}',
        b'{"token": "secret", "status": 99999999999999999999}',
        b'{"token": "secret", "book": "../directory"}',
        b'{"token": "first-operator", "input": [8, 1, 2, 1, 1, 1, 1, 1]}',
        b'{"token": "first-operator", "status": 1}',
    ):
        assert "error" in said(line), line
    assert said(b'{"token": "secret", "status": 1}')["outcomes"][0][3] == 0  # type: ignore[index]
