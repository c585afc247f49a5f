"""`make coverage-by-suite`: run each folder of tests by itself, and name the code that it runs and that its entry in the map leaves out.

`python tests/selection/coverage_by_suite.py [FOLDER …]`, e.g. `integration/orders`; without, all folders but those that stand apart. Counts
every Python file of the checkout of which a line ran, in every process of this environment's Python: also in one that a test starts
with an environment of its own, as the conductor does. Only a process that was killed, that runs in a box of the grader, or that was
started without `site` (`python -S`, the probe) tells nothing. Ends with 1 when there is such code, or when a test failed.
"""

import argparse
import contextlib
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from choosing import Reach
from coverage import CoverageData
from imports import service_imports
from subjects import ROOT, folders, load

MEASURED = ("services", "charts", "loadtests", "scripts")
SETTINGS = """
[run]
source = {source}
data_file = {data}
parallel = true
sigterm = true
patch = fork, _exit
"""
AT_START = "import os; os.path.exists({settings!r}) and os.environ.setdefault('COVERAGE_PROCESS_START', {settings!r})\n"
"""A line of a .pth file, which Python executes when it starts, before the line of coverage (a1_coverage.pth) that reads the variable."""


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
    places = ",".join(str(ROOT / place) for place in MEASURED)
    settings.write_text(SETTINGS.format(source=places, data=directory / "data"))
    coverage = [sys.executable, "-m", "coverage"]
    pytest = [sys.executable, "-m", "pytest", "--quiet", "--numprocesses", workers, *files]
    with _every_process_reads(settings):
        ended = subprocess.run(pytest, cwd=ROOT, check=False)
    combine = [*coverage, "combine", "--quiet", f"--rcfile={settings}"]
    subprocess.run(combine, cwd=ROOT, check=True)
    return ended.returncode


@contextlib.contextmanager
def _every_process_reads(settings: Path) -> Iterator[None]:
    """In the block each process that Python starts in this environment is measured."""
    file = Path(sysconfig.get_path("purelib")) / "a0_coverage_by_suite.pth"
    file.write_text(AT_START.format(settings=str(settings)))
    try:
        yield
    finally:
        file.unlink()


def _files(data_file: Path) -> list[str]:
    """Every file of which a line ran, from the root."""
    data = CoverageData(str(data_file))
    data.read()
    paths = [Path(file) for file in data.measured_files() if data.lines(file)]
    return sorted(path.relative_to(ROOT).as_posix() for path in paths if ROOT in path.parents)


if __name__ == "__main__":
    sys.exit(main())
