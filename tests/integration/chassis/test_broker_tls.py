"""A broker over TLS is believed only when its certificate is for its name, by an authority that is trusted."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from chassis.app import make_app
from chassis.settings import ServiceSettings


@dataclass
class Listener:
    """A TLS server that notes the first bytes of who gets through the handshake, and hangs up."""

    certificate: Path
    key: Path
    heard: list[bytes] = field(default_factory=list)
    door: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        return int(self.door.getsockname()[1])

    def serve(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        while True:
            try:
                client, _ = self.door.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(client, server_side=True) as talk:
                    self.heard.append(talk.recv(4))
            except OSError:
                client.close()


@pytest.fixture
def listener(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Listener]:
    """Signs for the name in the test's parameter."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=broker", "-addext", f"subjectAltName={request.param}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    made = Listener(certificate, key)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    yield made
    made.door.shutdown(socket.SHUT_RDWR)
    made.door.close()
    thread.join(10)


def knock(listener: Listener, scheme: str, monkeypatch: pytest.MonkeyPatch, *, trusted: bool) -> str:
    """Connect as a publisher would, and be let down one way or another; why."""
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(listener.certificate))
    url = f"{scheme}://127.0.0.1:{listener.port}/"
    settings = ServiceSettings(broker_url=url, database_url="postgresql+psycopg://x@y/z", publish_timeout_seconds=2)
    with make_app("shop", ("shop.till",), settings) as app, app.connection_for_write() as connection:
        with pytest.raises(OperationalError) as refused:
            connection.ensure_connection(max_retries=1, interval_start=0)
        return repr(refused.value)


HERE = "IP:127.0.0.1"
ELSEWHERE = "DNS:elsewhere.example"
SCHEMES = ("amqps", "rediss")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("listener", [HERE], indirect=True)
def test_a_broker_with_a_trusted_certificate_of_its_name_is_spoken_to(
    listener: Listener, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    knock(listener, scheme, monkeypatch, trusted=True)

    assert listener.heard[0]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("listener", [HERE], indirect=True)
def test_a_broker_with_a_certificate_that_nobody_vouches_for_hears_nothing(
    listener: Listener, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = knock(listener, scheme, monkeypatch, trusted=False)

    assert "CERTIFICATE_VERIFY_FAILED" in why
    assert [] == listener.heard


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("listener", [ELSEWHERE], indirect=True)
def test_a_broker_with_the_certificate_of_another_hears_nothing(
    listener: Listener, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = knock(listener, scheme, monkeypatch, trusted=True)

    assert "CERTIFICATE_VERIFY_FAILED" in why
    assert [] == listener.heard
