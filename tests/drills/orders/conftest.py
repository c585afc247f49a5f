"""The orders' platforms, one a broker."""

from collections.abc import Iterator

import pytest
from drill_platforms import own_platform

from conductor.laptop.runtime import LocalRuntime


@pytest.fixture(scope="session", params=["rabbitmq", "valkey"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRuntime]:
    """Started when the first drill asks for it."""
    with own_platform("orders", request.param, tmp_path_factory.mktemp("drills") / request.param) as running:
        yield running
