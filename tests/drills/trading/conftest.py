"""The trading platform."""

from collections.abc import Iterator

import pytest
from drill_platforms import own_platform

from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.volume import missing_right


@pytest.fixture
def mountable() -> None:
    """For a drill that mounts a file system. Without the right to it nothing can be said about the service."""
    if why := missing_right():
        pytest.skip(why)


@pytest.fixture(scope="session", params=["valkey"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRuntime]:
    """Started when the first drill asks for it."""
    with own_platform("trading", request.param, tmp_path_factory.mktemp("trading") / request.param) as running:
        yield running
