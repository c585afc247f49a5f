"""The API server: ends when asked to, also while streams are open."""

import contextlib
import http.client
import json
import time
import urllib.request
from contextlib import closing
from typing import Any

from servers import free_port, listens, wait_until


def serve(shop: Any, **environment: str) -> tuple[Any, str]:
    port = free_port()
    process = shop.start("chassis.serve", "shop", PORT=str(port), **environment)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return bool(urllib.request.urlopen(f"{address}/hello", timeout=5).read() == b"hello")
        except OSError:
            return False

    wait_until(answers, what="an API that answers")
    return process, address


def seconds_to_end(process: Any) -> float:
    began = time.monotonic()
    process.terminate()
    process.wait(30)
    return time.monotonic() - began


def test_an_api_ends_at_sigterm_with_exit_code_0(rabbit_shop: Any) -> None:
    api, _ = serve(rabbit_shop)

    assert seconds_to_end(api) < 3
    assert api.returncode == 0


def test_open_event_streams_are_told_and_end_in_order(rabbit_shop: Any) -> None:
    api, address = serve(rabbit_shop)

    with closing(urllib.request.urlopen(f"{address}/events", timeout=20)) as stream:
        first = stream.readline()
        seconds = seconds_to_end(api)
        rest = stream.read()

    assert (first, rest) == (b"data: open\n", b"\ndata: closed\n\n")
    assert seconds < 5


def test_a_stream_that_does_not_listen_is_cut_off(rabbit_shop: Any) -> None:
    api, address = serve(rabbit_shop, DRAIN_SECONDS="1")

    with closing(urllib.request.urlopen(f"{address}/stuck", timeout=20)) as stream:
        stream.readline()
        seconds = seconds_to_end(api)

    assert seconds < 5
    assert api.returncode == 0


def test_a_request_that_is_cut_off_unanswered_is_told_to_come_again(rabbit_shop: Any) -> None:
    api, address = serve(rabbit_shop, DRAIN_SECONDS="1")
    asking = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    asking.request("GET", "/silent")
    # The next one is answered: by then the first is being worked on.
    urllib.request.urlopen(f"{address}/hello", timeout=5).read()

    api.terminate()
    answer = asking.getresponse()
    said = json.loads(answer.read())

    told = (answer.status, answer.getheader("Retry-After"), answer.getheader("Connection"), said["status"])
    assert (503, "1", "close", 503) == told
    assert api.wait(30) == 0


def test_an_api_that_leaves_answers_a_while_and_lets_its_clients_go(rabbit_shop: Any) -> None:
    api, address = serve(rabbit_shop, LINGER_SECONDS="3")
    kept = http.client.HTTPConnection(address.removeprefix("http://"), timeout=5)

    def told() -> str | None:
        kept.request("GET", "/hello")
        answer = kept.getresponse()
        assert (200, b"hello") == (answer.status, answer.read())
        return answer.getheader("Connection")

    before = told()
    began = time.monotonic()
    api.terminate()
    wait_until(lambda: told() == "close", what="a client that is let go")
    assert urllib.request.urlopen(f"{address}/hello", timeout=5).read() == b"hello"
    api.wait(30)

    assert before is None
    assert 3 <= time.monotonic() - began < 8
    assert api.returncode == 0


def test_a_client_that_was_accepted_just_before_the_end_is_answered(rabbit_shop: Any) -> None:
    api, address = serve(rabbit_shop)
    where = address.removeprefix("http://")
    silent = http.client.HTTPConnection(where, timeout=5)
    silent.connect()
    # The next one is answered: by then the first has been accepted.
    urllib.request.urlopen(f"{address}/hello", timeout=5).read()

    api.terminate()
    wait_until(lambda: not listens(int(where.rpartition(":")[2])), what="the end of accepting", poll_seconds=0.01)
    silent.request("GET", "/hello")
    answer = silent.getresponse()

    assert (200, b"hello", "close") == (answer.status, answer.read(), answer.getheader("Connection"))
    assert api.wait(30) == 0


def test_a_port_that_is_taken_is_exit_code_1(rabbit_shop: Any) -> None:
    _, address = serve(rabbit_shop)

    second = rabbit_shop.start("chassis.serve", "shop", PORT=address.rpartition(":")[2])

    assert second.wait(30) == 1


def test_a_listening_socket_that_was_not_handed_down_is_exit_code_1(rabbit_shop: Any) -> None:
    api = rabbit_shop.start("chassis.serve", "shop", LISTEN_FD="200")

    assert api.wait(30) == 1
    assert "cannot listen on LISTEN_FD 200: [Errno 9] Bad file descriptor" in rabbit_shop.log()


def test_a_second_api_takes_over_a_shared_port_without_a_refused_request(rabbit_shop: Any, tmp_path: Any) -> None:
    old, address = serve(rabbit_shop, SHARE_PORT="1", HEARTBEAT_FILE=str(tmp_path / "old"))
    port = address.rpartition(":")[2]
    beats = tmp_path / "new"
    rabbit_shop.start("chassis.serve", "shop", PORT=port, SHARE_PORT="1", HEARTBEAT_FILE=str(beats))
    wait_until(lambda: beats.exists() and '"idle"' in beats.read_text(), what="the new API to serve")

    old.terminate()
    answered = 0
    while old.poll() is None or answered < 20:
        # A connection that waited in the old one's queue may be reset; none may find nobody listening.
        with contextlib.suppress(ConnectionResetError):
            assert urllib.request.urlopen(f"{address}/hello", timeout=5).read() == b"hello"
        answered += 1

    assert old.returncode == 0
