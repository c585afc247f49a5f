"""Whether one process is alive or ready, asked as a kubelet would: by its heartbeat file, and by HTTP where it serves.

The file's probe is the chassis' own script, run without site packages: some 20 ms of CPU, no import of the application.
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import httpx

from conductor.pools import Role
from conductor.run_directory import CHECKOUT

Question = Literal["live", "ready"]
SCRIPT = CHECKOUT / "services" / "chassis" / "probe.py"
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` is one line, for people."""

    well: bool
    reason: str


def ask(question: Question, role: Role, environment: Mapping[str, str]) -> Answer:
    """Ask one process of a pool, by the environment it was started with.

    An API is asked twice, since two of a kind may share its port while it is rolled: by its own file, and by HTTP.
    """
    told = _heartbeat(question, environment)
    if role == "api" and told.well:
        return http(f"http://127.0.0.1:{environment['PORT']}/health/{question}")
    return told


def _heartbeat(question: Question, environment: Mapping[str, str]) -> Answer:
    try:
        done = subprocess.run(
            [sys.executable, "-S", str(SCRIPT), question],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(False, f"the probe did not answer within {ANSWER_SECONDS} s")
    return Answer(done.returncode == 0, (done.stdout + done.stderr).strip())


def http(url: str) -> Answer:
    """Whether a GET answers 200."""
    try:
        response = httpx.get(url, timeout=ANSWER_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        return Answer(False, f"{url}: {error or type(error).__name__}")
    return Answer(response.status_code == httpx.codes.OK, f"{url}: {response.status_code}")
