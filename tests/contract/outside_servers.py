"""The outside's servers as processes that a test may start, crash, stop and start again on the same ports and data."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

SECRET = "carrier-secret"
ADMIN_TOKEN = "outside-admin"
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
START_SECONDS = 30.0
# One for all: a client of its own costs every call the reading of all certificates.
CLIENT = httpx.Client(trust_env=False, timeout=START_SECONDS)


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = 20.0, poll_seconds: float = 0.02) -> None:
    """Return as soon as `condition()` is true; fail naming `what` when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(poll_seconds)


@dataclass
class OutsideServer:
    """One of outside.payments, outside.carrier, outside.mail; `ports` are 0 until the first start and then stay."""

    module: str
    data: Path
    port_options: tuple[str, ...] = ("--port",)
    options: tuple[str, ...] = ()
    ports: list[int] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    read: int = 0

    def start(self) -> "OutsideServer":
        """Start it and return once it is ready."""
        ports = self.ports or [0] * len(self.port_options)
        taken = [text for option, port in zip(self.port_options, ports, strict=True) for text in (option, str(port))]
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, *taken, "--data", str(self.data), *self.options],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CARRIER_SECRET": SECRET, "OUTSIDE_ADMIN_TOKEN": ADMIN_TOKEN},
            preexec_fn=_die_with_parent,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.ports = [int(port) for port in re.findall(r":(\d+)", line)]
        assert len(self.ports) == len(self.port_options), f"{self.module} said {line!r} instead of being ready"
        return self

    def crash(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=START_SECONDS)

    @property
    def url(self) -> str:
        """Where it answers HTTP: the last of its ports."""
        return f"http://127.0.0.1:{self.ports[-1]}"

    def from_now_on(self) -> "OutsideServer":
        """Healed, and its ledger without what is in it now."""
        self.heal()
        self.read = max([self.read, *(entry["id"] for entry in self.ledger())])
        return self

    def admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call what only the bearer of its token may."""
        return CLIENT.request(method, self.url + path, headers=ADMIN, **options)

    def ledger(self, **query: Any) -> list[dict[str, Any]]:
        """Its ledger, without what was read."""
        query = {"after": self.read, **query}
        entries: list[dict[str, Any]] = self.admin("GET", "/ledger", params=query).raise_for_status().json()
        return entries

    def kinds(self, key: str) -> list[str]:
        """The kinds of the ledger's entries with this key, in order."""
        return [entry["kind"] for entry in self.ledger() if entry["key"] == key]

    def fault(self, **plan: Any) -> None:
        """Set faults: their shares by name, and `seed`, `orders` and the like beside them."""
        rate = {name: share for name, share in plan.items() if name not in _PLAN_FIELDS}
        more = {name: value for name, value in plan.items() if name in _PLAN_FIELDS}
        self.admin("PUT", "/admin/faults", json={"rate": rate, **more}).raise_for_status()

    def outage(self, **plan: Any) -> None:
        """Begin an outage."""
        self.admin("POST", "/admin/outage", json=plan).raise_for_status()

    def heal(self) -> None:
        """No fault and no outage any more."""
        self.admin("DELETE", "/admin/faults").raise_for_status()
        self.admin("DELETE", "/admin/outage").raise_for_status()


def payments(data: Path) -> OutsideServer:
    """A payment provider, not yet started."""
    return OutsideServer("outside.payments", data)


def carrier(
    data: Path, *, callback_url: str = "http://127.0.0.1:9/none", delivery_delay_seconds: float = 0.2
) -> OutsideServer:
    """A carrier, not yet started; nobody listens to its callbacks unless told."""
    options = ("--callback-url", callback_url, "--delivery-delay-seconds", str(delivery_delay_seconds))
    return OutsideServer("outside.carrier", data, options=options)


def mail(data: Path) -> OutsideServer:
    """A mail server, not yet started; its first port speaks SMTP."""
    return OutsideServer("outside.mail", data, port_options=("--smtp-port", "--http-port"))


_PLAN_FIELDS = ("slow_seconds", "hang_seconds", "seed", "expires_in_seconds", "orders")


def _die_with_parent() -> None:
    # prctl(PR_SET_PDEATHSIG): the kernel kills the server when pytest dies, however it dies.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
