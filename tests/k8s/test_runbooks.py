"""Runbooks have the same four parts, and every command in them, and in the alerts, is one that the command line takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from conductor.cli import build
from conductor.observability.registry import load

RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
FILES = sorted(file for file in RUNBOOKS.glob("*.md") if file.name != "README.md")
PARKED = ("list", "show", "replay", "drop")


def commands() -> Iterator[tuple[str, str]]:
    """Where each command stands, and the command."""
    for file in FILES:
        for block in re.findall(r"```sh\n(.*?)```", file.read_text(), flags=re.DOTALL):
            for line in block.splitlines():
                yield file.name, line
    for name, alert in load().alerts.items():
        if alert.next:
            yield name, "capstone " + re.sub(r"{{.*?}}", "saga", alert.next)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_runbook_says_what_it_means_whom_it_hurts_how_to_look_and_what_to_do(file: Path) -> None:
    assert ["Meaning", "Impact", "Diagnosis", "Mitigation"] == re.findall(
        r"^## (.+)$", file.read_text(), flags=re.MULTILINE
    )


def test_every_command_in_a_runbook_or_an_alert_can_be_typed() -> None:
    found = list(commands())

    assert 40 < len(found)
    assert [] == [(where, line, why) for where, line in found if (why := refused(line))]


def test_a_command_that_does_not_exist_would_be_found() -> None:
    assert refused("capstone order list")
    assert refused("capstone kill")
    assert refused("capstone roll saga --gently")


def refused(line: str) -> str:
    """Why the command line does not take it; empty when it does."""
    program, *words = shlex.split(line)
    command: Any = typer.main.get_command(build())
    if program != "capstone":
        return "not ours"
    name = program
    while hasattr(command, "commands"):
        name, *words = words
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    if name == "parked" and words[0] not in PARKED:
        return f"no act {words[0]}"
    try:
        command.make_context(name, list(words))
    except Exception as error:  # noqa: BLE001 - typer brings a click of its own, and with it its errors
        return repr(error)
    return ""
