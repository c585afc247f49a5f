"""Runs the learner's tests on the application, where they have to pass, or on a mutant of it, which they have to notice.

A mutant is a folder below the lab's `checks/mutants/`; its files take the place of the workspace's.
"""

import sys
import time

from pydantic import Field

from grader import measuring
from grader.adapters import workspaces
from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.errors import Unable
from grader.session import Session, failed, passed

TESTS_FAILED, NO_TESTS = 1, 5
"""Exit statuses of pytest."""

SOUND_SLOWDOWN = "slowdown of the tests on the sound application"


class Parameters(Strict):
    """Which tests, on what."""

    tests: str = Field(description="The learner's file of tests.")
    application: tuple[str, ...] = Field(
        min_length=1, description="The files under test: always the lab's own, whatever the learner made of them."
    )
    mutant: str | None = Field(default=None, pattern=r"^[a-z0-9-]+$", description="None for the application itself.")
    within: float = Field(default=60, gt=0, le=300, description="Seconds that the tests may take.")


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when the tests pass on the application, or fail on the mutant.

    Tests have time-outs of their own, which a busy machine makes them reach: that they fail on the application counts where the machine is
    not busy, and that they fail on a mutant where it is not much slower than it was when they passed on the application.
    """
    directory = session.scratch / f"tests-{parameters.mutant or 'application'}"
    workspaces.copy(session.workspace, directory)
    for name in parameters.application:
        workspaces.place(directory, name, (session.lab / "starter" / name).read_bytes())
    if parameters.mutant is not None:
        folder = session.lab / "checks" / "mutants" / parameters.mutant
        if not folder.is_dir():
            raise Unable(f"{folder} is missing")
        workspaces.overlay(folder, directory)
    # A broker as new: what the tests of another mutant left waiting is not these tests' to find.
    session.valkey.client().flushall()
    argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", parameters.tests]
    began = time.monotonic()
    ended = session.run(argv, seconds=parameters.within, directory=directory)
    seen = {"status": ended.status, "mutant": parameters.mutant}
    if ended.status == NO_TESTS:
        return failed("no-tests", f"{parameters.tests} holds no test", **seen)
    if ended.status not in (0, TESTS_FAILED):
        what = (
            f"did not end within {parameters.within:g} s"
            if ended.status is None
            else f"ended with status {ended.status}"
        )
        return failed("broken", f"pytest {what}: that is no verdict on the application", **seen)
    if parameters.mutant is None and ended.status == 0:
        session.kept[SOUND_SLOWDOWN] = measuring.slowest(began)
        return passed("the tests pass", **seen)
    if ended.status == 0:
        return failed("missed", "the tests pass although the application is broken", **seen)
    measuring.tell_slower(began, session.kept.get(SOUND_SLOWDOWN, 1.0))
    if parameters.mutant is None:
        return failed("fail", "the tests fail on the sound application", **seen)
    return passed("the tests fail, as they should", **seen)
