"""What the bootstrap does where uv is of no use: pip installs all the same, from the same hashed file."""

import hashlib
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
BOOTSTRAP = ROOT / "scripts" / "bootstrap.py"


def wheel(folder: Path, name: str, member: str, text: str) -> str:
    """A wheel of one file; its line in a hashed requirements file."""
    information = f"{name}-1.dist-info"
    entry = zipfile.ZipInfo(member)
    entry.external_attr = 0o100755 << 16
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(entry, text)
        file.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        file.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{information}/RECORD", f"{member},,\n")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a service, which needs one package, and whose uv always fails."""
    wheels, service = tmp_path / "wheels", tmp_path / "services" / "own"
    wheels.mkdir()
    service.mkdir(parents=True)
    backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (service / "pyproject.toml").write_text(backend)
    (service / "backend.py").write_text(
        "import shutil\n\n"
        "def build_editable(folder, *_):\n"
        "    return shutil.copy('capstone_own-1-py3-none-any.whl', folder).rpartition('/')[2]\n"
    )
    wheel(service, "capstone_own", "capstone_own.py", "import capstone_needs")
    needed = wheel(wheels, "capstone_needs", "capstone_needs.py", "")
    failing = wheel(wheels, "uv", "uv-1.data/scripts/uv", '#!/bin/sh\necho "uv $@" >> uv-was-asked\nexit 1\n')
    (tmp_path / "requirements.txt").write_text(needed)
    (tmp_path / "requirements-dev.txt").write_text("")
    (tmp_path / "requirements-uv.txt").write_text(failing)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bootstrap() -> dict[str, Any]:
    return runpy.run_path(str(BOOTSTRAP))


def installed() -> bool:
    return subprocess.run([".venv/bin/python", "-c", "import capstone_own"], check=False).returncode == 0


def test_pip_installs_what_uv_could_not(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main = bootstrap()["main"]
    # What keeps uv from being asked is another test's.
    main.__globals__["PIPS_OWN"] = ()

    status = main("requirements.txt")

    assert (0, True) == (status, installed())
    assert "uv did not get there; pip does it instead" in capfd.readouterr().out
    assert "--require-hashes -r requirements.txt" in (project / "uv-was-asked").read_text()


def test_where_pip_has_a_way_of_its_own_uv_is_not_even_fetched(project: Path) -> None:
    status = bootstrap()["main"]("requirements.txt")

    assert (0, True, False) == (status, installed(), (project / ".venv" / "bin" / "uv").exists())


def test_an_install_that_was_cut_short_is_nothing_that_runs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)

    # As from a shell: a make that another make runs says more.
    shell = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "down"], cwd=tmp_path, env=shell, capture_output=True, text=True, check=False)

    assert (0, "nothing is running: nothing is installed yet\n", "") == (done.returncode, done.stdout, done.stderr)


def test_a_package_of_another_content_is_refused(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wheel(project / "wheels", "capstone_needs", "capstone_needs.py", "tampered = True")

    status = bootstrap()["main"]("requirements.txt")

    assert (1, False) == (status, installed())
    assert "installing failed" in capfd.readouterr().out
