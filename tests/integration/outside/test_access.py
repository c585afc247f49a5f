"""Ledger, messages and faults are open to who has the servers' own token, and to nobody else, on loopback as anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from outside_servers import ADMIN_TOKEN, CLIENT, SECRET, OutsideServer

CLOSED = [
    (server, method, path)
    for server in ("payments", "carrier", "mail")
    for method, path in [
        ("GET", "/ledger"), ("GET", "/admin/faults"), ("PUT", "/admin/faults"), ("DELETE", "/admin/faults"),
        ("POST", "/admin/outage"), ("DELETE", "/admin/outage"), ("GET", "/admin/anything"),
    ]
] + [("mail", "GET", "/messages")]  # fmt: skip
WRONG = {
    "none": {},
    "another": {"Authorization": "Bearer of-the-api"},
    "empty": {"Authorization": "Bearer"},
    "another scheme": {"Authorization": f"Basic {ADMIN_TOKEN}"},
    "bytes": {"Authorization": b"Bearer \xff\xfe"},
    "the carrier's": {"Authorization": f"Bearer {SECRET}"},
}


@pytest.mark.parametrize(("server", "method", "path"), CLOSED, ids=lambda part: part)
def test_without_the_token_a_door_is_closed(
    server: str, method: str, path: str, request: pytest.FixtureRequest
) -> None:
    found: OutsideServer = request.getfixturevalue(f"healthy_{server}")

    answer = CLIENT.request(method, found.url + path)

    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
    assert ADMIN_TOKEN not in answer.text


@pytest.mark.parametrize("headers", WRONG.values(), ids=list(WRONG))
def test_another_token_opens_nothing(headers: dict[str, str], healthy_payments: OutsideServer) -> None:
    assert 401 == CLIENT.get(f"{healthy_payments.url}/ledger", headers=headers).status_code


@pytest.mark.parametrize("path", ["//ledger", "/ledger/", "/LEDGER", "/%6cedger", "/x/../ledger", "/admin//faults"])
def test_no_other_spelling_opens_a_door(path: str, healthy_payments: OutsideServer) -> None:
    assert 200 != CLIENT.get(healthy_payments.url + path).status_code


@pytest.mark.parametrize("server", ["payments", "carrier", "mail"])
def test_health_is_open(server: str, request: pytest.FixtureRequest) -> None:
    found: OutsideServer = request.getfixturevalue(f"healthy_{server}")

    assert 200 == CLIENT.get(f"{found.url}/health").status_code


def test_what_a_customer_of_the_provider_calls_is_open(healthy_payments: OutsideServer) -> None:
    assert 404 == CLIENT.get(f"{healthy_payments.url}/charges/never-seen").status_code


@pytest.mark.parametrize("module", ["payments", "carrier", "mail"])
def test_a_server_without_a_token_does_not_start(module: str, tmp_path: Path) -> None:
    ports = ["--smtp-port", "0", "--http-port", "0"] if module == "mail" else ["--port", "0"]
    callback = ["--callback-url", "http://x/"] if module == "carrier" else []

    ended = subprocess.run(
        [sys.executable, "-m", f"outside.{module}", *ports, *callback, "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "CARRIER_SECRET": SECRET, "OUTSIDE_ADMIN_TOKEN": ""},
    )

    assert (2, True) == (ended.returncode, "OUTSIDE_ADMIN_TOKEN" in ended.stderr)
