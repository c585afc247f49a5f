"""What goes through the relay of a box arrives as it would without: whole, in order, and with its end."""

import array
import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from grader.adapters.relay import CHUNK, Relay

SIZE = 20 * CHUNK + 17
DATA = os.urandom(SIZE)


class Server:
    """On a free port; what it does with a connection is the test's."""

    def __init__(self, serves: Callable[[socket.socket], None]) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, args=(serves,), daemon=True).start()

    def _accept(self, serves: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=serves, args=(connection,), daemon=True).start()


def echo(connection: socket.socket) -> None:
    """Back to who sent it, and an end for an end."""
    with connection, contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            connection.sendall(data)


def kept(connection: socket.socket) -> None:
    """Everything first, and then all of it back."""
    with connection:
        connection.sendall(received(connection))


def received(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def relayed() -> Iterator[Callable[[int], tuple[int, int | None]]]:
    """Begins a relay to a port outside as a box would: the port inside, and the pid of who opened it."""
    ended, threads = threading.Event(), []

    def begin(outside: int) -> tuple[int, int | None]:
        relay = Relay({6379: outside})
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        rights = array.array("i", [listener.fileno()])
        relay.inside_end.sendmsg([b"ready"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        pid = relay.begin()
        port = listener.getsockname()[1]
        listener.close()

        def serve() -> None:
            while not ended.is_set():
                if select.select([relay], [], [], 0.05)[0]:
                    relay.serve()

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return port, pid

    yield begin
    ended.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("serves", [echo, kept])
def test_data_and_their_end_go_both_ways(relayed: Callable[..., tuple[int, int]], serves: Callable[..., None]) -> None:
    port, pid = relayed(Server(serves).port)

    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        sending = threading.Thread(target=lambda: (connection.sendall(DATA), connection.shutdown(socket.SHUT_WR)))
        sending.start()
        back = received(connection)
        sending.join()

    assert back == DATA
    assert os.getpid() == pid


def test_who_reads_nothing_holds_up_nobody_else(relayed: Callable[..., tuple[int, int]]) -> None:
    port, _ = relayed(Server(echo).port)
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.setblocking(False)
        while select.select([], [slow], [], 0.5)[1]:
            slow.send(DATA)

        with socket.create_connection(("127.0.0.1", port), timeout=20) as other:
            other.sendall(b"still here")
            assert b"still here" == other.recv(100)


def test_many_connections_at_a_time(relayed: Callable[..., tuple[int, int]]) -> None:
    port, _ = relayed(Server(echo).port)

    def asked(number: int) -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            text = f"{number}".encode() * 1000
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            return received(connection) == text

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(asked, range(200)))


def test_a_server_that_is_gone_ends_the_connection(relayed: Callable[..., tuple[int, int]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        outside = gone.getsockname()[1]
    port, _ = relayed(outside)

    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        assert b"" == connection.recv(100)


def test_a_box_that_ends_before_its_program_has_no_pid() -> None:
    assert Relay({6379: 1}).begin() is None
