"""The overlays as kubectl renders them, once a session."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_rendering import install_tools

CHECKOUT = Path(__file__).resolve().parents[2]
OVERLAYS = sorted(path.parent.name for path in (CHECKOUT / "k8s" / "overlays").glob("*/kustomization.yaml"))
Object = dict[str, Any]


@pytest.fixture(scope="session")
def kubectl() -> str:
    return tool("kubectl")


@pytest.fixture(scope="session")
def helm() -> str:
    return tool("helm")


def tool(name: str) -> str:
    """The one on the PATH, or the one in .tools/, which needs the network once; skips on a laptop that cannot get it."""
    found = shutil.which(name)
    if found is not None:
        return found
    try:
        return str(install_tools() / name)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = f"{name} is not installed, and cannot be: {error}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.fixture(scope="session")
def rendered(kubectl: str) -> Callable[[str], list[Object]]:
    known: dict[str, list[Object]] = {}

    def render(overlay: str) -> list[Object]:
        if overlay not in known:
            folder = CHECKOUT / "k8s" / "overlays" / overlay
            done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=True)
            known[overlay] = list(yaml.safe_load_all(done.stdout))
        return known[overlay]

    return render
