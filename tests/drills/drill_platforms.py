"""The platform that a capstone's drills are played on: one a broker, in a directory of its own, with the settings of every drill."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from conductor import capstones
from conductor.commands.drill import known
from conductor.harness import runner
from conductor.harness.drill import wanted_together
from conductor.harness.reporter import Reporter
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.servers import rabbitmq
from conductor.pools import Broker

MUTANTS = Path(__file__).resolve().parents[1] / "mutants"
"""Python finds there what breaks guards; see its `sitecustomize`."""


@contextlib.contextmanager
def own_platform(capstone: str, broker: Broker, directory: Path, **more: str) -> Iterator[LocalRuntime]:
    """The platform, with `more` settings, down again after the block. Its logs stay in the directory."""
    if broker == "rabbitmq" and not rabbitmq.installed():
        reason = "rabbitmq-server is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    system = capstones.named(capstone)
    settings, pools = wanted_together(known(capstone).values())
    reporter = Reporter(Console(highlight=False))
    with runner.own_platform(directory, system, broker, reporter, settings=more | settings, pools=pools) as running:
        yield running
