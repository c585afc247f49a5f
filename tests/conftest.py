"""Lets every test import the fakes and the servers by name, and gives it the fixtures of real servers."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from server_fixtures import (  # noqa: F401
    broker_url,
    database_url,
    postgres,
    rabbitmq,
    rabbitmq_url,
    redis_url,
    store_url,
    valkey,
    vhost,
)
from spreading import spread

# How long an example takes is the machine's business; what is bound in time has a test of its own.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before pytest-xdist reads the groups."""
    spread(items)
