"""Runs a program in the learner's files and looks at how it ends and what it prints."""

import re
import sys

from pydantic import Field, field_validator

from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed


class Parameters(Strict):
    """What to run and what has to come of it."""

    argv: tuple[str, ...] = Field(min_length=1, description="`python` first stands for the grader's own interpreter.")
    status: int | None = Field(default=0, description="The exit status that passes; null for any.")
    prints: tuple[str, ...] = Field(default=(), description="Regular expressions that the output must match.")
    within: float = Field(default=20, gt=0, le=300, description="Seconds it may take.")

    @field_validator("prints")
    @classmethod
    def _expressions(cls, prints: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in prints:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern}: {error}") from error
        return prints


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when it ends in time with the status, and prints all that is asked for."""
    argv = [sys.executable if parameters.argv[0] == "python" else parameters.argv[0], *parameters.argv[1:]]
    shown = " ".join(parameters.argv)
    ended = session.run(argv, seconds=parameters.within)
    if ended.status is None:
        return failed("timeout", f"`{shown}` did not end within {parameters.within:g} s")
    if parameters.status is not None and ended.status != parameters.status:
        return failed(
            "status", f"`{shown}` ended with status {ended.status}, not {parameters.status}", status=ended.status
        )
    lacking = [pattern for pattern in parameters.prints if not re.search(pattern, ended.output, re.MULTILINE)]
    if lacking:
        return failed("output", f"`{shown}` did not print what matches {lacking[0]}", lacking=lacking)
    return passed(f"`{shown}` ended with status {ended.status}", status=ended.status)
