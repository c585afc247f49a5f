"""When the certificates expire that servers show. Only a server that is spoken to over TLS has one; one that is not reached is left out.

Python tells the dates of a certificate only when it was verified. So a first handshake takes what the server shows, and a second one trusts
that alone, whatever the time and whoever signed it: whether it is to be believed is for those who send something to judge.
"""

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, parse_qs, urlsplit

PORTS = {"amqps": 5671, "rediss": 6379, "https": 443, "postgresql": 5432}
"""By scheme, the port where the URL names none."""

ENCRYPTED = ("require", "verify-ca", "verify-full")
"""What `sslmode` says where PostgreSQL is not spoken to otherwise."""

PATIENCE_SECONDS = 3.0
EVERY_SECONDS = 600.0
AGAIN_SECONDS = 30.0
"""When a server is asked again that was not reached."""

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL: a certificate that has expired is read as well."""

SSL_REQUEST, WILLING = struct.pack("!ii", 8, 80877103), b"S"
"""How PostgreSQL is asked to go on in TLS, and its yes (its manual: message formats)."""


def over_tls(urls: str) -> list[SplitResult]:
    """The servers among these, with `,` or `;` between, that are spoken to over TLS."""
    found = (urlsplit(url) for url in re.split(r"[,;](?=[\w+]+://)", urls))
    return [url for url in found if _encrypted(url)]


def _encrypted(url: SplitResult) -> bool:
    if _scheme(url) == "postgresql":
        return parse_qs(url.query).get("sslmode", [""])[-1] in ENCRYPTED
    return _scheme(url) in PORTS


def _scheme(url: SplitResult) -> str:
    return url.scheme.partition("+")[0]  # postgresql+psycopg


def expires_at(url: SplitResult) -> float:
    """When the certificate of a server expires, in unix time. Raises OSError when the server is not reached, or shows none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a weak certificate expires, too
    with _talking(url, context) as talk:
        shown = talk.getpeercert(binary_form=True)
    context.load_verify_locations(cadata=shown)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME)
    with _talking(url, context) as talk:
        return ssl.cert_time_to_seconds(str((talk.getpeercert() or {})["notAfter"]))


@contextlib.contextmanager
def _talking(url: SplitResult, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    address = url.hostname or "", url.port or PORTS[_scheme(url)]
    with socket.create_connection(address, PATIENCE_SECONDS) as plain:
        if _scheme(url) == "postgresql":
            plain.sendall(SSL_REQUEST)
            if plain.recv(1) != WILLING:
                raise ConnectionError(f"the server at {address[0]}:{address[1]} does not speak TLS")
        with context.wrap_socket(plain, server_hostname=url.hostname) as talk:
            yield talk


class Certificates:
    """Those of some servers, by name; asked for by a thread of its own, because a scrape waits for no handshake."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._servers = {name: found for name, url in urls.items() if (found := over_tls(url))}
        self._expiries: dict[str, float] = {}
        if self._servers:
            threading.Thread(target=self._ask, daemon=True).start()

    def expiries(self) -> list[tuple[str, float]]:
        """By server, when its certificate expires, as was told last; of several servers of a name the first to."""
        return sorted(self._expiries.copy().items())

    def _ask(self) -> None:
        over = threading.Event()
        while True:
            for name, servers in self._servers.items():
                try:
                    self._expiries[name] = min(map(expires_at, servers))
                except (OSError, ValueError):  # a URL may also be none
                    self._expiries.pop(name, None)
            missed = len(self._expiries) < len(self._servers)
            over.wait(AGAIN_SECONDS if missed else EVERY_SECONDS)
