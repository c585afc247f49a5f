"""Helm for the tests of the charts: put into .tools/ where it is missing, which needs the network once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests import `refusals` and the like by name

from chart_rendering import Helm, install_tools


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder with the tools; skips on a laptop that cannot get them, fails when `CI` is set."""
    try:
        return install_tools()
    except (OSError, subprocess.CalledProcessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"helm cannot be installed: {error}")


@pytest.fixture(scope="session")
def helm(tools: Path) -> Helm:
    """Helm 4; that Helm 3 renders the same is a test of its own."""
    return Helm(tools / "helm")


@pytest.fixture(scope="session")
def helm3(tools: Path) -> Helm:
    """Helm 3."""
    return Helm(tools / "helm3")


@pytest.fixture(params=["helm3", "helm4"])
def either_helm(request: pytest.FixtureRequest, helm: Helm, helm3: Helm) -> Helm:
    """Both, one after the other."""
    return helm if request.param == "helm4" else helm3
