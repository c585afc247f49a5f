"""A person's commands while only a cluster runs: each finds it, names it on stderr, and works."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conductor.cluster.installation import Installation

CAPSTONE = Path(sys.executable).parent / "capstone"


@pytest.fixture
def capstone(installation: Installation, tmp_path: Path):
    """Runs the program where nothing else runs; what it printed, and its lines on stderr."""

    def run(*arguments: str, status: int = 0) -> tuple[str, list[str]]:
        argv = [str(CAPSTONE), *arguments, "--namespace", installation.namespace]
        environment = {**os.environ, "CAPSTONE_RUN_DIR": str(tmp_path)}
        ended = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=180)
        assert status == ended.returncode, ended.stderr
        return ended.stdout, ended.stderr.splitlines()

    return run


def test_an_order_is_placed_followed_and_judged_in_a_cluster(capstone, installation: Installation) -> None:
    placed, told = capstone("order", "place", "--json")
    order_id = json.loads(placed)["order_id"]
    watched, _ = capstone("order", "watch", order_id, "--until", "delivered", "--timeout", "120")
    explained, _ = capstone("order", "explain", order_id)
    judged = json.loads(capstone("ledger", "verify", "--json", "--wait", "60")[0])

    assert [f"namespace {installation.namespace}"] == [line.rpartition(", ")[2] for line in told]
    assert "delivered" in watched
    assert "it waits for nothing" in explained
    assert judged["accepted"] >= 1
    assert (0, 0) == (judged["lost"], judged["doubled"])


def test_what_runs_and_fails_in_a_cluster_is_shown(capstone) -> None:
    status, _ = capstone("status", "--json")
    capstone("fault", "outage", "mail", "60")
    faults, _ = capstone("fault", "show", "mail")
    capstone("fault", "clear")
    parked, told = capstone("parked", "list")
    logs, _ = capstone("logs", "payments", "--lines", "1")

    assert json.loads(status)["ready"]
    assert 60.0 == json.loads(faults)["mail"]["outage"]["seconds"]
    assert "parked" in parked
    assert [] == [line for line in told if "container" in line]
    assert "payments" in logs


def test_a_pod_is_killed_only_where_the_cluster_was_named(capstone) -> None:
    _, refused = capstone("kill", "saga", status=1)
    killed, _ = capstone("kill", "saga", "--runtime", "kubernetes", "--json")

    assert "--runtime kubernetes" in refused[-1]
    assert json.loads(killed)["pod"].startswith("orders-saga-")
