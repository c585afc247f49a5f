"""`make test` and `make test-e2e`: run the tests, all of them or those that a change can break.

`python tests/selection/run_selected.py [--since COMMIT] [--suite e2e] [-- PYTEST ARGUMENTS]`. With --since, what differs between COMMIT and
the files here, committed or not, or a second COMMIT after --until, chooses by tests/subjects.toml; what is left out is printed. `--list`
and `--explain` run nothing. Ends with 1 when a test failed, with 2 when git cannot compare.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from choosing import DAYS, Choice, choose, everything
from imports import service_imports
from subjects import ROOT, Folder, SubjectMap, folders, load

DRILLS = "drills"


def main() -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", default="", help="the commit that the change is measured from; everything without")
    parser.add_argument("--suite", help="only this suite, in one process; by default all but those that stand apart")
    parser.add_argument("--until", default="", help="the commit that it is measured to; by default the files here")
    parser.add_argument("--explain", action="store_true", help="print what would run, and run nothing")
    parser.add_argument(
        "--list", action="store_true", help="print the folders that the change chooses, and run nothing"
    )
    parser.add_argument("--workers", default="4", help="test processes")
    parser.add_argument("--drills", default="3", help="drills at a time")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    asked = parser.parse_args()

    subject_map, found = load(), folders()
    try:
        choice = _choice(asked.since, asked.until, subject_map, found)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"git cannot compare {asked.since} {asked.until}: {error.stderr}")
        return 2
    if asked.list:
        sys.stdout.writelines(f"{name}\n" for name in choice.chosen)
        return 0
    if asked.since or asked.explain:
        sys.stdout.write(told(choice, subject_map))
        sys.stdout.flush()
    if asked.explain:
        return 0

    files = _files(choice, found)
    if asked.suite:
        return _pytest([file for file in files if _suite(file) == asked.suite], asked.pytest)
    here = [file for file in files if _suite(file) not in subject_map.apart]
    spread = ["--no-loadscope-reorder", *asked.pytest, "--numprocesses"]
    # Drills come last, by themselves: a drill beside other tests makes both slower.
    ended = [
        _pytest([file for file in here if _suite(file) != DRILLS], [*spread, asked.workers]),
        _pytest([file for file in here if _suite(file) == DRILLS], [*spread, asked.drills]),
    ]
    return next((status for status in ended if status), 0)


def told(choice: Choice, subject_map: SubjectMap) -> str:
    """What is run, each folder with the reason, and what is left out; one line each."""
    reasons = set(choice.chosen.values())
    if not choice.left_out and len(reasons) == 1:
        return f"chosen: everything, because of {reasons.pop()}\n"
    apart = [name for name in choice.chosen if name.partition("/")[0] in subject_map.apart]
    here = [f"{name:<22} {reason}" for name, reason in choice.chosen.items() if name not in apart]
    parts = {
        "chosen, because of": here,
        "chosen, but with a target of its own": apart,
        "chosen, because they read documentation": choice.documents,
        f"a {DAYS}th of what is left out": choice.rotated,
        "left out": choice.left_out,
    }
    return "".join(f"{title}:\n" + "".join(f"  {line}\n" for line in lines) for title, lines in parts.items() if lines)


def changed_paths(since: str, until: str = "") -> list[str]:
    """What differs between two commits, or a commit and the files here; both names of what was moved. Raises CalledProcessError."""
    ends = [f"{commit}^{{commit}}" for commit in (since, until) if commit]
    commands = [["diff", "--name-only", "--no-renames", "-z", *ends, "--"]]
    if not until:
        commands.append(["ls-files", "--others", "--exclude-standard", "-z"])
    said = (
        subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for command in commands
    )
    return sorted({path for text in said for path in text.split("\0") if path})


def _choice(since: str, until: str, subject_map: SubjectMap, found: Sequence[Folder]) -> Choice:
    if not since:
        return everything(found, "no commit to compare with")
    day = datetime.now(UTC).timetuple().tm_yday
    return choose(changed_paths(since, until), subject_map, found, service_imports(), day)


def _files(choice: Choice, found: Sequence[Folder]) -> list[str]:
    chosen = [file for folder in found if folder.name in choice.chosen for file in folder.files]
    return list(dict.fromkeys([*chosen, *choice.documents, *choice.rotated]))


def _suite(file: str) -> str:
    return file.split("/")[1]


def _pytest(files: Sequence[str], arguments: Sequence[str]) -> int:
    """Its exit code: 1 is a failed test, more an error of another kind."""
    if not files:
        return 0
    return subprocess.run([sys.executable, "-m", "pytest", *files, *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
