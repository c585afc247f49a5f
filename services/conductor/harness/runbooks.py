"""Types the diagnosis of an alert's runbook while the alert fires, as somebody on call does.

A command has to say something, soon, and be no crash: with a server down it may well say that, and fail. `ID` in a later command is the
first id that an earlier one printed.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence

from conductor.errors import DrillFailed
from conductor.laptop.runtime import LocalRuntime
from conductor.observability.registry import runbook
from conductor.run_directory import CHECKOUT

ANSWER_SECONDS = 60.0
"""On a machine that is busy; each takes one or two by itself."""

ENDS = (0, 1)
"""1 says that something is wrong, which it is."""

_IDS = {"parked": r"^\W*(\d+)\b", "": r"\b([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"}
"""Of a parked record, and of an order: how they look in what a command prints."""


def diagnosis(alert: str) -> Iterator[list[str]]:
    """The words of each command, without the program's name."""
    text = (CHECKOUT / "docs" / "runbooks" / runbook(alert)).read_text()
    section = re.search(r"^## Diagnosis$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    for block in re.findall(r"```sh\n(.*?)```", section[1] if section else "", re.DOTALL):
        yield from (shlex.split(line)[1:] for line in block.splitlines())


def type_diagnosis(runtime: LocalRuntime, alert: str) -> None:
    """Type them in order. Raises DrillFailed for one that does not help."""
    said = ""
    for words in diagnosis(alert):
        if "--runtime" in words:
            continue  # it asks a cluster
        found = re.search(_IDS.get(words[0], _IDS[""]), said, re.MULTILINE)
        if "ID" in words and found is None:
            raise DrillFailed(
                f"{alert}: nothing names what `capstone {shlex.join(words)}` is to be asked about:\n{said}"
            )
        said += _said(runtime, alert, [found[1] if found and word == "ID" else word for word in words])


def _said(runtime: LocalRuntime, alert: str, words: Sequence[str]) -> str:
    told = {**os.environ, "CAPSTONE_RUN_DIR": str(runtime.platform.run.path), "COLUMNS": "160"}
    command = [sys.executable, "-m", "conductor", *words]
    if len(runtime.platform.every) > 1 and words[0] == "parked" and "--capstone" not in words:
        command += ["--capstone", runtime.platform.name]
    try:
        done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DrillFailed(f"{alert}: `{shlex.join(words)}` said nothing within {ANSWER_SECONDS:g} s") from error
    said = done.stdout + done.stderr
    silent = words[0] != "logs" and not said.strip()  # a process may have written no line yet
    if done.returncode not in ENDS or "Traceback" in done.stderr or silent:
        raise DrillFailed(f"{alert}: `{shlex.join(words)}` ended with {done.returncode}:\n{said[-2000:]}")
    return done.stdout
