"""A stranger's Celery application by the library chart, with an upgrade in the middle of the work.

commands.txt is what the page of charts/example says, word by word; tests/charts/test_readmes.py compares them.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playing import missing

from conductor.cluster import install
from servers import wait_until

CHECKOUT = Path(__file__).parents[3]
COMMANDS = Path(__file__).with_name("commands.txt").read_text()
BLOCKS = [block.splitlines() for block in COMMANDS.strip().split("\n\n")]
REMOVE = "kubectl delete namespace example --ignore-not-found --wait"


def shell(line: str) -> str:
    """Run a line in the checkout; what it prints."""
    if os.environ.get("E2E_LOAD"):
        line = line.replace("kind load docker-image", os.environ["E2E_LOAD"])
    done = subprocess.run(["bash", "-c", line], cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def cluster() -> Iterator[None]:
    """One that answers; the example's namespace is gone before and after."""
    if not install.reachable():
        missing("kubectl points to no cluster that answers")
    shell(REMOVE)
    yield
    shell(REMOVE)


@pytest.mark.usefixtures("cluster")
def test_no_text_is_lost_when_the_example_is_upgraded_while_it_counts() -> None:
    build, begin, upgrade, look = BLOCKS
    for line in [*build, *begin, *upgrade[:1]]:
        shell(line)
    counted, expected = look[0].split("  # ")
    before = int(shell(counted))
    assert before < int(expected), "it was meant to be upgraded in the middle"
    for line in upgrade[1:]:
        shell(line)

    wait_until(lambda: shell(counted).strip() == expected.strip(), what="all texts", seconds=120)

    tags = shell("kubectl get pods --namespace example --output jsonpath='{.items[*].spec.containers[0].image}'")
    assert "example/wordcount:2" in tags
    shell("helm uninstall example --namespace example")
