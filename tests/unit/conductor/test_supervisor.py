"""What is said when the supervisor is gone and something else has got its port."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor.errors import NotRunning
from conductor.laptop.state import State
from conductor.laptop.supervisor import Supervisor
from conductor.run_directory import RunDirectory

ANSWERS = {
    "another supervisor": b"HTTP/1.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    "a web server": b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p>x",
    "an empty page": b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no web server": b"220 mail.example ESMTP\r\n",
    "nothing": b"",
}


@pytest.fixture(params=ANSWERS)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Of a program that gives one answer to whatever it is asked."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(ANSWERS[request.param])

    thread = threading.Thread(target=serve)
    thread.start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_another_program_at_its_port_is_no_supervisor(port: int, tmp_path: Path) -> None:
    state = State.fresh("valkey").model_copy(update={"ports": {"supervisor": port}})
    supervisor = Supervisor(RunDirectory(tmp_path), state)

    with pytest.raises(NotRunning) as refused:
        supervisor.processes()

    assert (False, False) == (supervisor.answers(), state.passwords.supervisor in str(refused.value))
