"""What a kubelet and Prometheus are told over HTTP; the verdicts themselves are test_probe.py's."""

import http.client
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis import health, heartbeat
from chassis.heartbeat import Heartbeat
from chassis.settings import ServiceSettings
from servers import end_serving, free_port


def settings(**values: Any) -> ServiceSettings:
    return ServiceSettings(database_url="postgresql+psycopg://h/d", broker_url="amqp://h/v", **values)


@pytest.fixture
def beat(tmp_path: Path) -> Heartbeat:
    """The heartbeat of this process."""
    return Heartbeat(tmp_path / "heartbeat", "worker")


@pytest.fixture
def port(tmp_path: Path, beat: Heartbeat) -> Iterator[int]:
    """Where this process answers."""
    told = settings(metrics_port=free_port(), heartbeat_file=tmp_path / "heartbeat")
    server = health.serve(told)
    assert server is not None
    yield told.metrics_port
    end_serving(server)


def asked(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    told = answer.status, answer.read().decode()
    connection.close()
    return told


def test_without_a_port_nothing_answers() -> None:
    assert health.serve(settings()) is None


def test_a_port_that_is_taken_is_no_silent_start(port: int) -> None:
    with pytest.raises(OSError, match="in use"):
        health.serve(settings(metrics_port=port))


def test_a_child_does_not_hold_the_port() -> None:
    server = health.serve(settings(metrics_port=free_port()))
    assert server is not None
    child = os.fork()
    if child == 0:
        os._exit(server.socket.fileno() == -1)
    _, status = os.waitpid(child, 0)
    listens = server.socket.fileno() != -1
    end_serving(server)

    assert (1, True) == (os.waitstatus_to_exitcode(status), listens)


def test_who_works_is_live_and_ready(port: int, beat: Heartbeat) -> None:
    beat.show(heartbeat.IDLE)

    assert (200, "worker is idle\n") == asked(port, "/health/live")
    assert (200, "worker is idle\n") == asked(port, "/health/ready")


def test_whose_broker_is_away_is_live_and_not_ready(port: int, beat: Heartbeat) -> None:
    beat.show(heartbeat.UNREACHABLE)

    assert (200, 503) == (asked(port, "/health/live")[0], asked(port, "/health/ready")[0])


def test_who_wrote_nothing_yet_is_not_live(port: int) -> None:
    status, why = asked(port, "/health/live")

    assert 503 == status
    assert why.startswith("no heartbeat in ")


def test_a_loop_that_stands_is_told_by_a_process_that_still_answers(port: int, tmp_path: Path) -> None:
    long_ago = Heartbeat(tmp_path / "heartbeat", "worker", clock=lambda: 1.0)
    long_ago.show(heartbeat.IDLE)

    status, why = asked(port, "/health/live")

    assert 503 == status
    assert "its loop has not turned for" in why


def test_a_scrape_needs_no_counters(port: int) -> None:
    status, text = asked(port, "/metrics")

    assert (200, True) == (status, "chassis_build_info{" in text)


def test_another_path_is_told_what_there_is(port: int) -> None:
    assert 404 == asked(port, "/")[0]


def test_who_says_nothing_keeps_nobody_waiting(port: int, beat: Heartbeat) -> None:
    beat.show(heartbeat.IDLE)
    silent = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    silent.connect()

    assert 200 == asked(port, "/health/live")[0]
    silent.close()


@pytest.mark.parametrize("gone", [True, False])
def test_a_fault_is_a_line_of_the_log_and_a_client_that_is_gone_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], gone: bool
) -> None:
    said: list[tuple[str, str]] = []
    left, handled = threading.Event(), threading.Event()
    handle = health.Listener.handle_error
    monkeypatch.setattr(health.log, "error", lambda event, error: said.append((event, error)))
    monkeypatch.setattr(health.Listener, "handle_error", lambda *told: (handle(*told), handled.set()))

    def also() -> bytes:
        left.wait(10)
        if not gone:
            raise ValueError("no such file")
        return b"#" * 10_000_000

    server = health.serve(told := settings(metrics_port=free_port()), also=also)
    assert server is not None
    with socket.create_connection(("127.0.0.1", told.metrics_port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    left.set()

    assert handled.wait(10)
    end_serving(server)
    assert said == ([] if gone else [("server_error", "ValueError('no such file')")])
    assert "Traceback" not in capsys.readouterr().err
