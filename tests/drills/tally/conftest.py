"""The tally's platform, which is found by a search path as it would be by any checkout: nothing beside its folder knows it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from drill_platforms import own_platform

from conductor.laptop.runtime import LocalRuntime
from conductor.run_directory import CAPSTONE_PATH

HOME = Path(__file__).resolve().parents[2] / "fixtures" / "tally"


@contextlib.contextmanager
def on_the_path() -> Iterator[None]:
    """The tally is found in the block, and by no test of the same process outside of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CAPSTONE_PATH, str(HOME))
        yield


@pytest.fixture(autouse=True)
def found() -> Iterator[None]:
    """Each of these tests finds it."""
    with on_the_path():
        yield


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRuntime]:
    """On RabbitMQ, which alone gives back at once what a killed worker had not acknowledged."""
    ended = contextlib.ExitStack()
    with on_the_path():
        running = ended.enter_context(own_platform("tally", "rabbitmq", tmp_path_factory.mktemp("tally") / "rabbitmq"))
    yield running
    with on_the_path():
        ended.close()
