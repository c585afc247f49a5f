"""Lets every test import the fakes and the servers by name, and gives it the fixtures of real servers."""

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from server_fixtures import (  # noqa: F401
    broker_url,
    database_url,
    pgbouncer,
    postgres,
    rabbitmq,
    rabbitmq_url,
    redis_url,
    store_url,
    valkey,
    vhost,
)
from servers import STARTED
from spreading import ByServers, order

# How long an example takes is the machine's business; what is bound in time has a test of its own.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Once all tests are known."""
    order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> ByServers:
    """Who hands tests out to processes."""
    return ByServers(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed tells what its servers said last: their logs go with their directories."""
    report = yield
    if report.failed:
        report.sections += [
            (f"log of {Path(server.command[0]).name} on {server.port}", said)
            for server in STARTED.values()
            if (said := server.said())
        ]
    return report
