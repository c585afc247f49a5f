"""Learners' tests have time-outs of their own, which a busy machine makes them reach."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader import measuring
from grader.catalog import LABS
from grader.checks.tests_against_mutants import Parameters, run
from grader.errors import TooBusy
from grader.session import Ended


class Learner:
    """A session in which the tests end as they are told, on a machine that is so slow then."""

    def __init__(self, scratch: Path, patch: pytest.MonkeyPatch) -> None:
        self.workspace = scratch / "workspace"
        self.workspace.mkdir()
        self.scratch, self.lab = scratch, LABS / "test-the-tests"
        self.kept: dict[str, Any] = {}
        self.valkey = SimpleNamespace(client=lambda: SimpleNamespace(flushall=lambda: None))
        self._patch = patch

    def tested(self, mutant: str | None, status: int, slowdown: float) -> tuple[bool, str]:
        """Whether the check passed, and the reason when not."""
        self._patch.setattr(measuring, "slowdown", lambda: slowdown)
        self.run = lambda *_, **__: Ended(status, "")
        asked = Parameters(tests="test_payments.py", application=("payments.py",), mutant=mutant)
        found = run(asked, self)  # type: ignore[arg-type]
        return found.passed, found.reason


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Learner:
    return Learner(tmp_path, monkeypatch)


@pytest.mark.parametrize(("slowdown", "told"), [(1.5, True), (2.0, False)])
def test_tests_that_fail_on_the_application_count_on_a_quick_machine_alone(
    learner: Learner, slowdown: float, told: bool
) -> None:
    with nullcontext() if told else pytest.raises(TooBusy):
        assert (False, "fail") == learner.tested(None, 1, slowdown)


@pytest.mark.parametrize(("slowdown", "told"), [(7.0, True), (8.0, False)])
def test_a_mutant_is_noticed_where_the_machine_is_not_much_slower_than_for_the_application(
    learner: Learner, slowdown: float, told: bool
) -> None:
    assert (True, "") == learner.tested(None, 0, 4.0)

    with nullcontext() if told else pytest.raises(TooBusy):
        assert (True, "") == learner.tested("early-ack", 1, slowdown)


def test_a_mutant_is_missed_however_slow_the_machine(learner: Learner) -> None:
    assert (True, "") == learner.tested(None, 0, 1.0)
    assert (False, "missed") == learner.tested("early-ack", 0, 50.0)
