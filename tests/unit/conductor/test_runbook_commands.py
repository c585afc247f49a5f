"""A runbook whose commands do not help is found when they are typed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conductor.errors import DrillFailed
from conductor.harness import runbooks
from conductor.observability.registry import load


@pytest.fixture
def runtime(tmp_path: Path) -> Any:
    """No platform runs."""
    return SimpleNamespace(
        platform=SimpleNamespace(run=SimpleNamespace(path=tmp_path), every=("orders",), name="orders")
    )


def test_every_alert_has_something_to_type() -> None:
    assert [] == [alert for alert in load().alerts if not list(runbooks.diagnosis(alert))]


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        ([["order", "lst"]], "ended with 2"),
        ([["parked", "show", "ID"]], "nothing names what"),
    ],
)
def test_what_does_not_help_is_named(
    runtime: Any, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]], why: str
) -> None:
    monkeypatch.setattr(runbooks, "diagnosis", lambda _: iter(commands))

    with pytest.raises(DrillFailed, match=why):
        runbooks.type_diagnosis(runtime, "Parked")


def test_a_command_that_says_what_is_wrong_helps(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runbooks, "diagnosis", lambda _: iter([["status"]]))

    runbooks.type_diagnosis(runtime, "DatabaseDown")
