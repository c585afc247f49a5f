"""Which lines about a task are what an operator's tools can read."""

import json
from typing import Any

import pytest

from grader.checks.log_lines import Parameters, told

ASKED = Parameters(
    calls=({"task": "work"},),  # type: ignore[arg-type]
    message="working on {marker}",
    fields={"task_id": "id", "task_name": "name"},
)
TASK = {"id": "id-1", "name": "tasks.work"}
OWN = {"message": "working on mark-1", "task_id": "id-1", "task_name": "tasks.work"}


def line(**changed: Any) -> str:
    return json.dumps(OWN | changed)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([line()], ""),
        ([line(), '{"message": "Task tasks.work[id-1] received"}', "somebody else's text"], ""),
        ([line(), "Task tasks.work[id-1] received"], "not-json"),
        ([line(), "RuntimeError: mark-1 cannot be done"], "not-json"),
        ([line(), '"mark-1"'], "not-json"),
        ([line(task_id="id-2")], "no-fields"),
        ([line(task_name=None)], "no-fields"),
        (['{"message": "done with mark-1", "task_id": "id-1"}'], "no-line"),
        ([], "no-line"),
    ],
)
def test_a_line_about_a_task_is_an_object_that_names_it(lines: list[str], reason: str) -> None:
    finding = told(ASKED, lines, TASK, "mark-1")

    assert (reason, not reason) == (finding.reason, finding.passed)
