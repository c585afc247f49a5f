"""The tunnel into a pod, with both ends on this machine: `env` starts the end that listens, where `kubectl exec` would."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grader.adapters.kubernetes import tunnel
from grader.adapters.kubernetes.door import Door
from grader.errors import Unable
from servers import free_port, wait_until

HERE = ["env", f"PATH={Path(sys.executable).parent}"]
"""The interpreter of the tests is the `python` of the end that listens."""

SOME = bytes(range(256)) * 4096


@contextmanager
def server(answers: bool = True) -> Iterator[int]:
    """A server that sends back what it gets, or one that never reads; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    one, _ = listening.accept()
                except OSError:
                    return
                made.append(one)
                if answers:
                    threading.Thread(target=echo, args=[one], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        for one in made:
            one.close()


def echo(one: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            one.sendall(data)
        one.shutdown(socket.SHUT_WR)
    except OSError:
        one.close()


@pytest.fixture
def said(tmp_path: Path) -> Path:
    return tmp_path / "said"


def everything(one: socket.socket) -> bytes:
    """All that comes until the other side says no more."""
    parts = []
    while data := one.recv(65536):
        parts.append(data)
    return b"".join(parts)


def test_each_connection_gets_its_own_bytes_in_order(said: Path) -> None:
    with server() as port:
        inside = free_port()
        door = Door(HERE, {inside: port}, said)
        ones = [socket.create_connection(("127.0.0.1", inside), 10) for _ in range(3)]
        senders = [threading.Thread(target=one.sendall, args=[bytes([n]) + SOME]) for n, one in enumerate(ones)]
        for sender in senders:
            sender.start()
        for one, sender in zip(ones, senders, strict=True):
            # Half of it is closed, and the rest still comes.
            threading.Thread(target=lambda s=sender, o=one: (s.join(), o.shutdown(socket.SHUT_WR)), daemon=True).start()

        got = [everything(one) for one in ones]
        door.end()

    assert [bytes([n]) + SOME for n in range(3)] == got


def test_who_reads_nothing_is_cut_off_and_holds_up_nobody(said: Path) -> None:
    with server() as echoing, server(answers=False) as silent:
        slow, quick = free_port(), free_port()
        door = Door(HERE, {slow: silent, quick: echoing}, said)
        flood = socket.create_connection(("127.0.0.1", slow), 10)
        with pytest.raises(ConnectionError):
            flood.sendall(200 * SOME)
        with socket.create_connection(("127.0.0.1", quick), 10) as one:
            one.sendall(b"still here")
            one.shutdown(socket.SHUT_WR)
            got = everything(one)
        door.end()

    assert b"still here" == got


def test_a_server_that_is_away_ends_the_connection(said: Path) -> None:
    inside = free_port()
    door = Door(HERE, {inside: free_port()}, said)
    with socket.create_connection(("127.0.0.1", inside), 10) as one:
        got = everything(one)
    door.check()
    door.end()

    assert b"" == got


def test_a_tunnel_that_broke_says_so(said: Path) -> None:
    door = Door(HERE, {free_port(): 1}, said)
    door.end()

    with pytest.raises(Unable, match="broke"):
        door.check()


def test_one_whose_pipe_ended_before_its_program_says_so(said: Path) -> None:
    door = Door(["sh", "-c", "echo ready; exec sleep 60 >&-"], {}, said)

    def broke() -> bool:
        try:
            door.check()
        except Unable:
            return True
        return False

    wait_until(broke, what="the end of the tunnel")
    door.end()


def test_one_that_cannot_start_says_why(said: Path) -> None:
    with pytest.raises(Unable, match="no such pod"):
        Door([sys.executable, "-c", "import sys; sys.exit('no such pod')"], {}, said)


def test_one_that_does_not_answer_is_given_up(said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grader.adapters.kubernetes.door.START_SECONDS", 0.2)

    with pytest.raises(Unable, match="did not start: no answer within 0"):
        Door(["sh", "-c", "exec sleep 60"], {}, said)


def test_the_end_that_listens_ends_with_the_pipe() -> None:
    argv = [sys.executable, "-I", "-S", tunnel.__file__, str(free_port())]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as listening:
        assert listening.stdout is not None
        assert tunnel.READY == listening.stdout.readline()

        listening.communicate()  # closes the pipe, as the kernel does when the grader is killed

    assert 0 == listening.returncode
