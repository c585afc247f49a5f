"""What pip installs is what the lock says: the requirements files, exported anew, are the ones in the tree."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())
IMAGES = [
    f"services/image/requirements/{name}.txt"
    for name in ("analytics", "analytics-archive", "chassis", "conductor", "orders", "outside", "trading")
]
EXPORTED = ["requirements.txt", "requirements-dev.txt", "requirements-uv.txt", *IMAGES]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    subprocess.run([sys.executable, "scripts/export_requirements.py", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("name", EXPORTED)
def test_a_requirements_file_is_what_the_lock_exports(name: str, exported: Path) -> None:
    expected = (exported / name).read_text()

    assert expected == (ROOT / name).read_text(), "run `make lock`"


@pytest.mark.parametrize(
    "project", [".", *sorted(str(path.parent.relative_to(ROOT)) for path in ROOT.glob("services/*/pyproject.toml"))]
)
def test_the_lock_was_made_from_what_a_project_asks_for(project: str) -> None:
    asked = tomllib.loads((ROOT / project / "pyproject.toml").read_text())["project"]
    locked = (
        next(entry for entry in LOCK["package"] if entry["name"] == asked["name"])
        .get("metadata", {})
        .get("requires-dist", [])
    )

    extras = [wanted for extra in asked.get("optional-dependencies", {}).values() for wanted in extra]
    expected = sorted((name, specifier) for name, specifier in map(_parts, [*asked["dependencies"], *extras]))
    assert expected == sorted((entry["name"], entry.get("specifier", "")) for entry in locked), "run `make lock`"


def _parts(requirement: str) -> tuple[str, str]:
    name, specifier = re.fullmatch(r"([A-Za-z0-9_-]+)(?:\[[^]]*\])?([^;]*)(?:;.*)?", requirement).groups()  # type: ignore[union-attr]
    return name.lower(), specifier
