"""Connections that take without giving: slow ones, endless ones, and those that are no HTTP. Real sockets to a real server.

The server's limits on time are short here. A good request on another connection is answered all the while.
"""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from orders.settings import Settings
from served_orders import Served, serving
from servers import wait_until

Shop = Any
SECONDS = 0.5
SLACK_SECONDS = 10  # of a machine that has other things to do
HEAD = b"POST /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann-token\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    """One process for all tests here."""
    limits = {f"{name}_SECONDS": str(SECONDS) for name in ("REQUEST_HEAD", "REQUEST_BODY", "RESPONSE_WRITE")}
    with serving(settings, **limits) as server:
        yield server


def connected(served: Served, receive_bytes: int | None = None) -> socket.socket:
    host, port = served.url.removeprefix("http://").split(":")
    client = socket.socket()
    if receive_bytes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.settimeout(SECONDS + SLACK_SECONDS)
    client.connect((host, int(port)))
    return client


def everything(client: socket.socket) -> bytes:
    """What the server says until it closes the connection."""
    said = b""
    try:
        while part := client.recv(65536):
            said += part
    except ConnectionResetError:
        pass  # it closed while something from us was under way
    return said


def problem(said: bytes) -> tuple[int, dict[str, Any]]:
    """Status and body of the only answer in `said`, which is a problem and closes the connection."""
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, said
    assert b"connection: close" in head.lower(), said
    told: dict[str, Any] = json.loads(body)
    assert told["status"] == int(head.split()[1])
    return told["status"], told


def sent(served: Served, data: bytes) -> tuple[int, dict[str, Any]]:
    with connected(served) as client:
        client.sendall(data)
        return problem(everything(client))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


REFUSED: dict[str, tuple[bytes, int, str]] = {
    "half a head": (b"GET /stock HTTP/1.1\r\nHost: x", 408, "head"),
    "a body that is shorter than it says": (HEAD + b"Content-Length: 100\r\n\r\n{}", 408, "body"),
    "chunks without an end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b" "), 408, "body"),
    "a long header": (b"GET /stock HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 16384 + b"\r\n\r\n", 431, "16384 bytes"),
    "a long header without an end": (b"GET /stock HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 500_000, 431, "16384 bytes"),
    "many headers": (b"GET /stock HTTP/1.1\r\nHost: x\r\n" + b"X: x\r\n" * 3000 + b"\r\n", 431, "16384 bytes"),
    "a long path": (b"GET /" + b"x" * 17000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "16384 bytes"),
    "many trailers": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"{}") + b"0\r\n" + b"X: x\r\n" * 3000 + b"\r\n",
        431,
        "16384 bytes",
    ),
    "blank lines without an end": (b"\r\n" * 300_000, 431, "16384 bytes"),
    "a long body": (HEAD + b"Content-Length: 70000\r\n\r\n", 413, "65536 bytes"),
    "a long body in chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b" " * 70000), 413, "65536 bytes"),
    "a chunk that has a long description": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 500_000,
        431,
        "16384 bytes",
    ),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 ClientHello", 400, "no HTTP/1.1"),
    "a chunk of no length": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "no HTTP/1.1"),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, "no HTTP/1.1"),
    "a length and chunks": (
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"{}"),
        400,
        "no HTTP/1.1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_without_measure_is_refused_and_its_connection_closed(served: Served, name: str) -> None:
    data, status, why = REFUSED[name]
    with connected(served) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
            client.sendall(data)
        found, told = problem(everything(client))

    assert status == found
    assert why in told["detail"]


def test_many_connections_that_send_a_byte_now_and_then_are_ended(served: Served) -> None:
    slow = [connected(served) for _ in range(400)]
    for client in slow:
        client.sendall(b"GET /health/live HTTP/1.1\r\nX: ")
    began = time.monotonic()
    ended: set[socket.socket] = set()

    def all_ended() -> bool:
        for client in slow:
            try:
                client.setblocking(False)
                client.send(b"x")
                if not client.recv(1, socket.MSG_PEEK):
                    ended.add(client)
            except BlockingIOError:
                continue
            except OSError:
                ended.add(client)
        return len(ended) == len(slow)

    other = httpx.get(f"{served.url}/health/live", timeout=5, trust_env=False)
    wait_until(all_ended, what="every slow connection to be ended", seconds=SECONDS + SLACK_SECONDS)
    for client in slow:
        client.close()

    assert 200 == other.status_code
    assert time.monotonic() - began < SECONDS + SLACK_SECONDS


def test_a_body_that_comes_byte_by_byte_is_408_before_it_is_whole(served: Served) -> None:
    with connected(served) as client:
        client.sendall(HEAD + b"Content-Length: 60000\r\n\r\n")
        client.setblocking(False)
        heard = b""

        def answered() -> bool:
            nonlocal heard
            try:
                client.send(b" ")
                heard += client.recv(4096)
            except BlockingIOError:
                return False
            except OSError:
                return True
            return bool(heard)

        wait_until(answered, what="an answer", seconds=SECONDS + SLACK_SECONDS)

    assert heard.startswith(b"HTTP/1.1 408")


def use(client: socket.socket) -> None:
    """Ask something on this connection, and read the answer."""
    client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    said = b""
    while not said.endswith(b'live"}'):
        part = client.recv(4096)
        assert part, said
        said += part


@pytest.mark.parametrize("first", [b"", b"\r\n\r\n"], ids=["nothing", "blank lines"])
def test_a_connection_that_asks_nothing_is_closed_without_a_word(served: Served, first: bytes) -> None:
    with connected(served) as client:
        client.sendall(first)

        assert b"" == everything(client)


def test_a_kept_connection_that_sends_blank_lines_is_closed(served: Served) -> None:
    with connected(served) as client:
        use(client)
        client.sendall(b"\r\n")

        assert b"" == everything(client)


def test_a_kept_connection_that_asks_again_slowly_is_408(served: Served) -> None:
    with connected(served) as client:
        use(client)
        client.sendall(b"GET /")

        assert 408 == problem(everything(client))[0]


def test_a_request_that_ends_in_the_middle_is_400(served: Served) -> None:
    with connected(served) as client:
        client.sendall(HEAD + b"Content-Length: 100\r\n\r\n{}")
        client.shutdown(socket.SHUT_WR)

        assert (400, "the request ended within its body") == (lambda said: (said[0], said[1]["detail"]))(
            problem(everything(client))
        )


def test_what_follows_a_body_does_not_overtake_the_answer_to_it(
    served: Served, shop: Shop, wanted: dict[str, Any]
) -> None:
    body = json.dumps(wanted).encode()
    with connected(served) as client:
        client.sendall(HEAD + b"Idempotency-Key: k-1\r\nContent-Length: %d\r\n\r\n%b}}" % (len(body), body))
        said = everything(client)

    assert said.startswith(b"HTTP/1.1 202")
    assert 1 == said.count(b"HTTP/1.1 ")
    assert 1 == len(shop.rows("SELECT 1 FROM orders"))


def test_trailers_do_not_become_headers(served: Served) -> None:
    told = b"POST /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    told += b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"{}") + b"0\r\nAuthorization: Bearer ann-token\r\n\r\n"

    assert 401 == sent(served, told)[0]


TWICE = {"Authorization": b"Bearer op-token", "Idempotency-Key": b"k-2", "Content-Type": b"text/plain", "Host": b"y"}


@pytest.mark.parametrize("name", TWICE)
def test_a_header_that_is_given_twice_is_400_and_named(
    served: Served, shop: Shop, wanted: dict[str, Any], name: str
) -> None:
    body = json.dumps(wanted).encode()
    extra = b"Idempotency-Key: k-1\r\nConnection: close\r\n%b: %b\r\n" % (name.encode(), TWICE[name])

    status, told = sent(served, HEAD + extra + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    assert (400, [{"field": name, "value": None, "reason": "given 2 times"}]) == (status, told["errors"])
    assert [] == shop.rows("SELECT 1 FROM orders")


def test_two_event_ids_are_400(shop: Shop, wanted: dict[str, Any]) -> None:
    path = f"/orders/{shop.placed(wanted)}/events"

    answer = shop.client("ann-token").get(path, headers=[("Last-Event-ID", "1"), ("Last-Event-ID", "2")])

    assert (400, "Last-Event-ID") == (answer.status_code, answer.json()["errors"][0]["field"])


def test_a_stream_whose_reader_reads_nothing_is_dropped(served: Served, shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    # More than the buffers of both sides hold.
    shop.run(
        "INSERT INTO timeline (order_id, kind, detail) SELECT CAST(:id AS uuid), 'x', "
        "jsonb_build_object('why', repeat('x', 5000)) FROM generate_series(1, 400)",
        id=order_id,
    )
    request = f"GET /orders/{order_id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann-token\r\n\r\n"
    with connected(served, receive_bytes=4096) as client:
        client.sendall(request.encode())
        assert client.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: "slow reader" in metrics(served), what="the server to drop the reader")
        rest = everything(client)

    assert not rest.endswith(b"0\r\n\r\n")


def metrics(served: Served) -> str:
    return httpx.get(served.metrics_url, timeout=20, trust_env=False).text


def test_an_address_holds_half_of_the_connections_at_most(settings: Settings) -> None:
    with serving(settings, HTTP_CONNECTIONS_LIMIT="8", REQUEST_HEAD_SECONDS="60") as server:
        held = [connected(server) for _ in range(4)]
        wait_until(lambda: _refused(server), what="a connection too many to be refused")
        held.pop().close()
        wait_until(lambda: not _refused(server), what="the place to be free again")
        for client in held:
            client.close()


def _refused(server: Served) -> bool:
    with connected(server) as client:
        client.settimeout(0.3)
        try:
            return problem(everything(client))[0] == 503
        except TimeoutError:
            return False


def test_what_the_server_ended_is_counted_by_reason(served: Served) -> None:
    sent(served, b"no HTTP at all\r\n\r\n")

    assert 'chassis_http_refused_total{reason="malformed"}' in metrics(served)
