"""How the servers start, crash and end: what was answered is in the ledger for ever."""

import os
import smtplib
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from outside_servers import ADMIN_TOKEN, CLIENT, SECRET, OutsideServer, wait_until

from chassis.errors import Transient
from orders.adapters.payments import HttpPayments
from orders.adapters.wire import Wire

pytestmark = pytest.mark.integration


def test_a_crash_loses_no_charge_that_was_answered(payments: OutsideServer) -> None:
    provider = HttpPayments(Wire(payments.url, name="payment provider"))
    answered: list[str] = []

    def charge(number: int) -> None:
        key = f"o-{number}:payment"
        try:
            provider.charge(key, order_id=f"o-{number}", amount_minor=100, currency="EUR", card="tok_ok")
        except Transient:
            return
        answered.append(key)

    with ThreadPoolExecutor(8) as pool:
        running = pool.map(charge, range(400))
        wait_until(lambda: len(answered) > 100, what="100 charges")
        payments.crash()
        list(running)
    assert len(answered) < 400, "the crash came after the last charge"
    payments.start()

    captured = Counter(entry["key"] for entry in payments.ledger())
    assert set(answered) <= set(captured)
    assert {1} == set(captured.values())


def test_after_a_crash_a_repeat_is_told_from_a_new_charge(payments: OutsideServer) -> None:
    provider = HttpPayments(Wire(payments.url, name="payment provider"))
    values = {"order_id": "o-1", "amount_minor": 100, "currency": "EUR", "card": "tok_ok"}
    first = provider.charge("o-1:payment", **values)
    payments.crash()
    payments.start()

    assert first == provider.charge("o-1:payment", **values)
    assert payments.kinds("o-1:payment") == ["capture"]


@pytest.mark.parametrize("name", ["payments", "carrier", "mail"])
def test_sigterm_ends_a_server_within_two_seconds(start: Callable[..., OutsideServer], name: str) -> None:
    server = start(name)
    began = time.monotonic()

    code = server.stop()

    assert code == 0
    assert time.monotonic() - began < 2.0


def test_sigterm_does_not_wait_for_a_call_that_hangs(payments: OutsideServer) -> None:
    payments.fault(timeout_before=1.0, hang_seconds=60.0)
    hanging = threading.Thread(target=lambda: CLIENT.get(f"{payments.url}/charges/k", timeout=30.0))
    hanging.start()
    wait_until(lambda: bool(payments.admin("GET", "/admin/faults").json()["hits"]), what="the call to hang")
    began = time.monotonic()

    code = payments.stop()
    hanging.join()

    assert code == 0
    assert time.monotonic() - began < 2.0


def test_sigterm_ends_a_mail_server_with_open_connections(mail: OutsideServer) -> None:
    with smtplib.SMTP("127.0.0.1", mail.ports[0], local_hostname="test") as smtp:
        smtp.noop()
        began = time.monotonic()

        code = mail.stop()
        smtp.close()

    assert code == 0
    assert time.monotonic() - began < 2.0


def test_a_taken_port_is_named_in_one_line(payments: OutsideServer, tmp_path: Path) -> None:
    port = str(payments.ports[0])

    ended = subprocess.run(
        [sys.executable, "-m", "outside.payments", "--port", port, "--data", str(tmp_path / "second")],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "OUTSIDE_ADMIN_TOKEN": ADMIN_TOKEN},
    )

    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use\n" == ended.stderr


def test_a_carrier_whose_shop_has_no_url_does_not_start(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "outside.carrier", "--port", "0", "--data", str(tmp_path), "--callback-url", "shop:80/"],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "CARRIER_SECRET": SECRET},
    )

    assert ended.returncode == 2
    assert "--callback-url: 'shop:80/' is not an http:// or https:// URL" in ended.stderr


def test_a_carrier_without_a_secret_does_not_start(tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "outside.carrier",
            "--port",
            "0",
            "--data",
            str(tmp_path),
            "--callback-url",
            "http://x/",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "CARRIER_SECRET": ""},
    )

    assert ended.returncode == 2
    assert "CARRIER_SECRET" in ended.stderr
    assert SECRET not in ended.stderr
