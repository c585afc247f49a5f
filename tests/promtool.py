"""Prometheus' own judge of rules and queries."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml


def binary() -> str:
    """promtool; a laptop without it skips, CI fails."""
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing: apt-get install prometheus")
        pytest.skip("promtool is missing: apt-get install prometheus")
    return found


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Its answer."""
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, check=False)


def tested(rules: Path, groups: list[dict[str, Any]], folder: Path) -> str:
    """What `promtool test rules` finds wrong; empty when nothing is."""
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "30s", "tests": groups}))
    done = run("test", "rules", file)
    return done.stdout + done.stderr if done.returncode else ""
