"""A client that goes away in the middle is no news, and an error of ours is."""

import socket
import struct
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import Any
from wsgiref.simple_server import make_server

import pytest

from conductor.exporter import Quiet
from conductor.http_server import HttpServer, IgnoresDisconnects, WsgiServer
from conductor.run_directory import CHECKOUT

CONDUCTOR = CHECKOUT / "services" / "conductor"
LONG = b"#" * 10_000_000

Body = Callable[[], bytes]


def of_threads(body: Body) -> BaseServer:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(body())

    return HttpServer(("127.0.0.1", 0), Answer)


def of_wsgi(body: Body) -> BaseServer:
    """A client that is gone before it has asked; of one that goes later wsgiref says nothing."""

    class Waiting(Quiet):
        def handle(self) -> None:
            body()
            super().handle()

    def answer(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b""]

    return make_server("127.0.0.1", 0, answer, server_class=WsgiServer, handler_class=Waiting)


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize(("server_of", "asked"), [(of_threads, b"GET / HTTP/1.0\r\n\r\n"), (of_wsgi, b"")])
def test_a_traceback_is_printed_for_an_error_and_not_for_a_client_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    server_of: Callable[[Body], BaseServer],
    asked: bytes,
    gone: bool,
) -> None:
    left, handled = threading.Event(), threading.Event()
    handle = IgnoresDisconnects.handle_error
    monkeypatch.setattr(IgnoresDisconnects, "handle_error", lambda *told: (handle(*told), handled.set()))

    def body() -> bytes:
        left.wait(10)
        if not gone:
            raise ValueError("no such file")
        return LONG

    with server_of(body) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with socket.create_connection(server.server_address[:2]) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(asked)
        left.set()
        assert handled.wait(10)
        server.shutdown()

    assert gone == ("Traceback" not in capsys.readouterr().err)


def test_the_conductor_has_no_http_server_of_another_kind() -> None:
    other = [file for file in CONDUCTOR.rglob("*.py") if "ThreadingHTTPServer" in file.read_text()]

    assert [CONDUCTOR / "http_server.py"] == other
