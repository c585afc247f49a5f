"""The overlays as kubectl renders them, once a session."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
OVERLAYS = sorted(path.parent.name for path in (CHECKOUT / "k8s" / "overlays").glob("*/kustomization.yaml"))
Object = dict[str, Any]


@pytest.fixture(scope="session")
def kubectl() -> str:
    found = shutil.which("kubectl") or shutil.which("kubectl", path=str(CHECKOUT / ".tools"))
    if found is None and os.environ.get("CI"):
        pytest.fail("kubectl is not installed")
    if found is None:
        pytest.skip("kubectl is not installed")
    return str(found)


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
