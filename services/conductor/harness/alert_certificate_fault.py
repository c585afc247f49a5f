"""A server whose certificate expires soon, by which an alert is raised. openssl signs it."""

import contextlib
import shutil
import socketserver
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conductor.harness import alert_storage_faults
from conductor.laptop.runtime import LocalRuntime

DAYS = 1


def can_sign() -> bool:
    """Whether openssl is here."""
    return shutil.which("openssl") is not None


@contextmanager
def short_certificate(runtime: LocalRuntime) -> Iterator[None]:
    """An exporter that is told of one more server, with a certificate of a day."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = signed(Path(folder), DAYS)
        with serving(certificate, key) as port:
            url = f"https://127.0.0.1:{port}"
            with alert_storage_faults.other_exporter("--tls", "played=PLAYED_URL", runtime, PLAYED_URL=url):
                yield


def signed(folder: Path, days: int) -> tuple[Path, Path]:
    """A certificate that signs itself and lasts for so many days (-1: it expired yesterday), and its key, made in a folder."""
    certificate, key, request = (folder / name for name in ("certificate.pem", "key.pem", "request.pem"))
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-subj", "/CN=played")
    _openssl("req", "-new", *kind, "-keyout", str(key), "-out", str(request))
    _openssl("x509", "-req", "-in", str(request), "-signkey", str(key), "-days", str(days), "-out", str(certificate))
    return certificate, key


def _openssl(*argv: str) -> None:
    subprocess.run(["openssl", *argv], check=True, capture_output=True)


@contextmanager
def serving(certificate: Path, key: Path) -> Iterator[int]:
    """A server that shows the certificate and hangs up; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handshake(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as talk:
                talk.recv(1)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handshake) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
