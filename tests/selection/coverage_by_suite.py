"""`make coverage-by-suite`: run each folder of tests by itself, and name the code that it runs and that its entry in the map leaves out.

`python tests/selection/coverage_by_suite.py [FOLDER …]`, e.g. `integration/orders`; without, all folders but those that stand apart. Counts
every Python file of the checkout of which a line ran, in processes that tests start as well, unless they get an environment without
coverage's variables. Ends with 1 when there is such code, or when a test failed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from choosing import Reach
from coverage import CoverageData
from imports import service_imports
from subjects import ROOT, folders, load

MEASURED = ("services", "charts", "loadtests", "scripts")
SETTINGS = """
[run]
source = {source}
parallel = true
sigterm = true
patch = subprocess, fork, _exit
"""


def main() -> int:
    """Run; the exit code."""
    subject_map, found = load(), folders()
    whole = [folder.name for folder in found if folder.suite not in subject_map.apart]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", help=f"of {', '.join(whole)}")
    parser.add_argument("--workers", default="4", help="test processes")
    asked = parser.parse_args()
    if unknown := set(asked.folders) - {folder.name for folder in found}:
        parser.error(f"no folder of tests: {', '.join(sorted(unknown))}")

    imports, status = service_imports(), 0
    for folder in found:
        if folder.name not in (asked.folders or whole):
            continue
        reach = Reach((*subject_map.everything, *subject_map.runs(folder)), imports)
        with tempfile.TemporaryDirectory() as directory:
            failed = _measure(folder.files, Path(directory), asked.workers)
            ran = _files(Path(directory) / "data")
        strange = [path for path in ran if not reach.includes(path)]
        lines = [f"{folder.name}: {len(ran)} files ran, {len(strange)} of them are not in its entry", *strange]
        sys.stdout.write("\n  ".join(lines) + "\n")
        sys.stdout.flush()
        status |= bool(failed or strange)
    return status


def _measure(files: Iterable[str], directory: Path, workers: str) -> int:
    settings = directory / "coveragerc"
    settings.write_text(SETTINGS.format(source=",".join(str(ROOT / place) for place in MEASURED)))
    environment = {**os.environ, "COVERAGE_FILE": str(directory / "data")}
    coverage = [sys.executable, "-m", "coverage"]
    pytest = ["-m", "pytest", "--quiet", "--numprocesses", workers, *files]
    ended = subprocess.run([*coverage, "run", f"--rcfile={settings}", *pytest], cwd=ROOT, env=environment, check=False)
    combine = [*coverage, "combine", "--quiet", f"--rcfile={settings}"]
    subprocess.run(combine, cwd=ROOT, env=environment, check=True)
    return ended.returncode


def _files(data_file: Path) -> list[str]:
    """Every file of which a line ran, from the root."""
    data = CoverageData(str(data_file))
    data.read()
    paths = [Path(file) for file in data.measured_files() if data.lines(file)]
    return sorted(path.relative_to(ROOT).as_posix() for path in paths if ROOT in path.parents)


if __name__ == "__main__":
    sys.exit(main())
