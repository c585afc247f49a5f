"""What the HTTP adapters make of a server that says, or does, anything."""

import multiprocessing
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from outside_servers import OutsideServer

from chassis.errors import Permanent, Transient
from orders.adapters.carrier import HttpCarrier
from orders.adapters.payments import HttpPayments
from orders.adapters.wire import Wire, retry_after_seconds
from orders.ports import UnknownOutcome

pytestmark = pytest.mark.integration

RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    """A server that reads a request and then does `act` with the connection; its URL."""
    listeners: list[socket.socket] = []

    def make(act: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    act(connection)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield make
    for listener in listeners:
        # close() alone leaves the thread in accept().
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def says(status: int, body: str = "{}", headers: str = "") -> Callable[[socket.socket], None]:
    text = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n{body}"
    return lambda connection: connection.sendall(text.encode())


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def closes(_: socket.socket) -> None:
    """The end of the connection, without a word."""


def charge(url: str, **options: Any) -> Any:
    wire = Wire(url, name="payment provider", total_seconds=0.6, **options)
    return HttpPayments(wire).charge("k", order_id="o-1", amount_minor=1, currency="EUR", card="tok_ok")


ANSWERS = {
    "400": (says(400), Permanent),
    "401": (says(401), Permanent),
    "404": (says(404), Permanent),
    "422": (says(422), Permanent),
    "a redirect": (says(302, headers="Location: /elsewhere\r\n"), Permanent),
    "429": (says(429), Transient),
    "503": (says(503), Transient),
    "500": (says(500), UnknownOutcome),
    "502": (says(502), UnknownOutcome),
    "504": (says(504), UnknownOutcome),
    "no JSON": (says(201, body="captured"), UnknownOutcome),
    "a list": (says(201, body="[]"), UnknownOutcome),
    "null": (says(201, body="null"), UnknownOutcome),
    "no status": (says(201, body='{"charge_id": "c"}'), UnknownOutcome),
    "an unknown status": (says(201, body='{"status": "melted"}'), UnknownOutcome),
    "a status that is no text": (says(201, body='{"status": 7}'), UnknownOutcome),
    "a reset": (resets, UnknownOutcome),
    "an end": (closes, UnknownOutcome),
    "half an answer": (lambda connection: connection.sendall(b"HTTP/1.1 201"), UnknownOutcome),
    "another protocol": (lambda connection: connection.sendall(b"220 mail.example ESMTP\r\n"), UnknownOutcome),
    "nothing": (lambda connection: connection.recv(1), UnknownOutcome),
}


@pytest.mark.parametrize(("act", "error"), ANSWERS.values(), ids=ANSWERS)
def test_each_answer_means_one_thing(
    answering: Callable[..., str], act: Callable[[socket.socket], None], error: type[Exception]
) -> None:
    url = answering(act)

    with pytest.raises((Transient, Permanent)) as raised:
        charge(url)

    assert error is type(raised.value)


def test_the_reason_of_a_refusal_is_passed_on(answering: Callable[..., str]) -> None:
    url = answering(says(422, body='{"detail": "currency: no such currency"}'))

    with pytest.raises(Permanent, match="payment provider answered 422: currency: no such currency"):
        charge(url)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0", 0.0),
        ("999999", 600.0),
        ("Sat, 01 Mar 2025 12:00:30 GMT", 30.0),
        ("Sat, 01 Mar 2025 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    noon = 1740830400.0  # 2025-03-01 12:00:00 UTC

    assert seconds == retry_after_seconds(header, noon)


class Breaker:
    """Remembers what came out of each call; refuses when `open`."""

    def __init__(self) -> None:
        self.open: Exception | None = None
        self.left: list[type[BaseException] | None] = []

    @contextmanager
    def guard(self) -> Iterator[None]:
        if self.open is not None:
            raise self.open
        try:
            yield
        except BaseException as error:
            self.left.append(type(error))
            raise
        self.left.append(None)


def test_a_breaker_sees_how_each_call_ended(answering: Callable[..., str]) -> None:
    breaker = Breaker()
    for act in (says(201, body='{"status": "captured"}'), says(402, body='{"status": "declined"}')):
        charge(answering(act), breaker=breaker)
    for act in (says(503), says(500), says(422)):
        with pytest.raises((Transient, Permanent)):
            charge(answering(act), breaker=breaker)

    assert [None, None, Transient, UnknownOutcome, Permanent] == breaker.left


def test_an_open_breaker_sends_nothing(answering: Callable[..., str]) -> None:
    got: list[socket.socket] = []
    breaker = Breaker()
    breaker.open = Transient("open")

    with pytest.raises(Transient, match="open"):
        charge(answering(got.append), breaker=breaker)

    assert got == []


def test_a_child_process_opens_connections_of_its_own(healthy_carrier: OutsideServer) -> None:
    http = HttpCarrier(Wire(healthy_carrier.url, name="carrier"))
    address = {"street": "Elm Street 5", "city": "Springwood", "postcode": "12345", "country": "US"}

    def book(key: str) -> str:
        return http.create_shipment(key, order_id="o-1", address=address, weight_g=1)

    run = uuid4()
    book(f"{run}-parent")
    context = multiprocessing.get_context("fork")
    numbers = context.Queue()
    children = [context.Process(target=lambda: numbers.put([book(f"{run}-{n}") for n in range(20)])) for _ in range(2)]
    for child in children:
        child.start()
    here = [book(f"{run}-{n}") for n in range(20)]
    there = [numbers.get(timeout=20) for _ in children]
    for child in children:
        child.join()

    assert [here, here] == there
