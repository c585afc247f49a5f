"""A port-forward, with a program that stands in for kubectl: it says a line for every connection, as kubectl does."""

import os
import sys
from pathlib import Path

import pytest

from conductor.cluster.kubectl import Kubectl
from conductor.cluster.port_forward import forwarded
from conductor.errors import ClusterFailed
from servers import wait_until

FORWARDS = """
print("Forwarding from 127.0.0.1:34787 -> 9102", flush=True)
for _ in range(4_000):
    print("Handling connection for 34787", flush=True)
    print("E1130 an error copying from local connection to remote stream", file=sys.stderr, flush=True)
Path(sys.argv[0]).with_name("said").touch()
signal.pause()
"""
REFUSES = 'sys.exit("error: services \\"carrier\\" not found")'


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "kubectl"


def stands_in(kubectl: Path, script: str) -> None:
    program = kubectl.with_name("stands_in.py")
    program.write_text(f"import signal, sys\nfrom pathlib import Path\n{script}\n")
    # A first line cannot name a Python whose path has a space.
    kubectl.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{program}'\n")
    kubectl.chmod(0o755)


def test_one_that_has_said_more_than_a_pipe_holds_forwards_on(kubectl: Path) -> None:
    stands_in(kubectl, FORWARDS)
    with forwarded(Kubectl("shop"), "carrier", 9102) as address:
        wait_until(kubectl.with_name("said").exists, what="all that it had to say")

    assert "http://127.0.0.1:34787" == address


def test_one_that_cannot_be_made_is_an_error_with_what_kubectl_said(kubectl: Path) -> None:
    stands_in(kubectl, REFUSES)
    with (
        pytest.raises(ClusterFailed, match='service carrier cannot be reached: error: services "carrier" not found'),
        forwarded(Kubectl("shop"), "carrier", 9102),
    ):
        pass
