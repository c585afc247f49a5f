"""The bootstrap: one clear first line when this machine cannot install, and nothing done."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def bootstrap(tmp_path: Path, prelude: str) -> subprocess.CompletedProcess[str]:
    script = f"import sys, runpy\n{prelude}\nsys.argv = ['bootstrap', 'requirements.txt']\n"
    script += f"runpy.run_path({str(ROOT / 'scripts' / 'bootstrap.py')!r}, run_name='__main__')"
    return subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("prelude", "line"),
    [
        (
            "sys.modules['ensurepip'] = None",
            f"ensurepip is missing: install the package python{VERSION}-venv (Debian, Ubuntu)"
            " or python3-pip (Fedora, RHEL)",
        ),
        (
            "sys.version_info = (3, 9, 2)",
            "Python 3.9 is too old: 3.11 or newer is needed; to name another one: PYTHON=python3.13 make up",
        ),
    ],
)
def test_what_is_missing_is_the_only_line_and_nothing_is_made(prelude: str, line: str, tmp_path: Path) -> None:
    done = bootstrap(tmp_path, prelude)

    assert (1, [line]) == (done.returncode, done.stdout.splitlines())
    assert list(tmp_path.iterdir()) == []
