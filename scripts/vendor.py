"""Brings what live pages need of npm into the checkout, pinned by checksum: `make vendor`, which needs npm. Nothing else does.

The files are committed, so that neither a laptop nor an image build needs npm or a network. tests/unit/chassis/test_vendored.py
compares them with FILES.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "uplot@1.6.32"
INTEGRITY = "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=="
"""As npm states it for the package (Subresource Integrity)."""

VENDOR = Path(__file__).resolve().parent.parent / "services/chassis/http/static/vendor"

FILES = {
    "uPlot.iife.min.js": ("dist/uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
    "uPlot.min.css": ("dist/uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
    "uPlot.LICENSE": ("LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
}
"""By the name in the checkout: the path in the package, and the SHA-256."""


def main() -> None:
    """Fetch the package, check it, and write the files. Raises SystemExit when a checksum is another one."""
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(
            ["npm", "pack", PACKAGE, "--json", "--pack-destination", folder], check=True, capture_output=True, text=True
        )
        archive = Path(folder, json.loads(told.stdout)[0]["filename"])
        found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != INTEGRITY:
            sys.exit(f"{PACKAGE} is {found}, not {INTEGRITY}")
        VENDOR.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as members:
            for name, (path, sha256) in FILES.items():
                member = members.extractfile(f"package/{path}")
                body = member.read() if member else b""
                if hashlib.sha256(body).hexdigest() != sha256:
                    sys.exit(f"{path} of {PACKAGE} is not {sha256}")
                (VENDOR / name).write_bytes(body)


if __name__ == "__main__":
    main()
