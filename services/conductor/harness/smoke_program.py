"""The command line of a capstone's smoke test, `python -m conductor.capstones.NAME.smoke --api URL`.

Runs inside a cluster as well as beside a laptop. Each sentence of `errors` goes to stderr; the last line of stdout is JSON, and the exit
status is 0 when there was no error.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from conductor.errors import ConductorError


@dataclass(frozen=True, slots=True)
class Answers:
    """A `Reach` of the API alone."""

    api: str
    bearers: Mapping[str, str]

    def addresses(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach."""
        return {"api": self.api}

    def tokens(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach."""
        return self.bearers


class Outcome(Protocol):
    """What came of it."""

    errors: list[str]

    def as_json(self) -> str:
        """The last line."""


def main(
    argv: Sequence[str],
    *,
    capstone: str,
    description: str,
    tokens: Sequence[str],
    smoke: Callable[[str, Mapping[str, str], int, float], Outcome],
    outcome: Callable[..., Outcome],
) -> int:
    """The exit status.

    `smoke` gets the API's address, the bearer tokens by the names in `tokens` (from `<NAME>_TOKEN` of the environment), how many requests
    to send, and its patience in seconds. Where it raises a ConductorError, `outcome(requests, errors=[sentence])` is what came of it.
    """
    parser = argparse.ArgumentParser(prog=f"python -m conductor.capstones.{capstone}.smoke", description=description)
    parser.add_argument("--api", required=True, metavar="URL", help=f"where the API of {capstone} answers")
    parser.add_argument("--requests", "--orders", type=int, default=50, help="how many to send (default: %(default)s)")
    parser.add_argument("--within-seconds", type=float, default=120.0, help="patience (default: %(default)s)")
    options = parser.parse_args(argv)
    bearers = {name: os.environ.get(f"{name.upper()}_TOKEN", "") for name in tokens}
    if missing := [f"{name.upper()}_TOKEN" for name, token in bearers.items() if not token]:
        parser.error(f"{', '.join(missing)} is not set")
    try:
        found = smoke(options.api, bearers, options.requests, options.within_seconds)
    except ConductorError as error:
        found = outcome(options.requests, errors=[str(error)])
    for line in found.errors:
        sys.stderr.write(f"{line}\n")
    sys.stdout.write(found.as_json() + "\n")
    return 1 if found.errors else 0
