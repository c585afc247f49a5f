"""The trading platform."""

from collections.abc import Iterator

import pytest
from drill_platforms import own_platform

from conductor.laptop.runtime import LocalRuntime


@pytest.fixture(scope="session", params=["valkey"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRuntime]:
    """Started when the first drill asks for it."""
    with own_platform("trading", request.param, tmp_path_factory.mktemp("trading") / request.param) as running:
        yield running
