"""Whether one process is alive or ready, asked as a kubelet would: by its heartbeat file, and by HTTP where it serves.

The file is looked at by the chassis' own probe, which a pod runs as a program. Here it is run once and asked by its function: a
program for every look would cost an idle platform, and one that starts, more than all they are asked about.
"""

import functools
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import httpx

from conductor import http_client
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
    return Answer(*_look()(environment["HEARTBEAT_FILE"], question))


@functools.cache
def _look() -> Callable[[str, Question], tuple[bool, str]]:
    """The probe's `look`."""
    look: Callable[[str, Question], tuple[bool, str]] = runpy.run_path(str(SCRIPT))["look"]
    return look


def http(url: str) -> Answer:
    """Whether a GET answers 200."""
    try:
        response = http_client.request("GET", url, timeout=ANSWER_SECONDS)
    except httpx.HTTPError as error:
        return Answer(False, f"{url}: {str(error) or type(error).__name__}")
    return Answer(response.status_code == httpx.codes.OK, f"{url}: {response.status_code}")
