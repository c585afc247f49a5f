"""A fault as a patch, put into the files that a lab begins with. `git apply` does it; no repository is looked at."""

import os
import subprocess
from pathlib import Path

from grader.errors import LabInvalid


def apply(patch: Path, folder: Path) -> None:
    """Change the files of a folder. Raises LabInvalid when the patch does not fit them; nothing is changed then."""
    if why := _git(patch, folder):
        raise LabInvalid(why)


def check(patch: Path, folder: Path) -> None:
    """Raise LabInvalid when the patch does not fit the files of a folder."""
    if why := _git(patch, folder, "--check"):
        raise LabInvalid(why)


def _git(patch: Path, folder: Path, *arguments: str) -> str:
    """Why it does not fit; empty when it does."""
    # Below a checkout, git would take the paths as those of the checkout, and leave out what lies elsewhere.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    argv = ["git", "apply", *arguments, str(patch.resolve())]
    try:
        ended = subprocess.run(argv, cwd=folder.resolve(), env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"{patch}: git, which puts it into {folder.name}/, is not installed"
    if ended.returncode == 0:
        return ""
    return f"{patch}: it does not fit {folder.name}/: {' '.join(ended.stderr.replace('error: ', '').split())}"
