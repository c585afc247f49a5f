"""What makes a message unfit to run; real messages and workers are in the integration tests."""

from types import SimpleNamespace
from typing import Any

import pytest

from chassis import intake


def _note(text: str = "") -> None: ...


TASKS = {"shop.note": SimpleNamespace(versions=(2, 3), __header__=_note)}


def message(payload: Any = ([], {}, {}), **headers: Any) -> Any:
    return SimpleNamespace(headers={"task": "shop.note", "id": "i", **headers}, payload=payload)


def test_a_task_message_is_fit() -> None:
    assert intake.fault(message(([], {"text": "x"}, {})), TASKS) is None


def test_without_a_version_the_oldest_readable_is_meant() -> None:
    assert intake.fault(message(([], {}, {})), TASKS) is None


@pytest.mark.parametrize("version", [1, 4, "2", None, [2]])
def test_a_version_that_cannot_be_read_is_a_fault(version: Any) -> None:
    found = intake.fault(message(([], {"v": version}, {})), TASKS)

    assert found is not None
    assert found.reason == "malformed"


def test_an_unknown_task_is_its_own_reason() -> None:
    found = intake.fault(message(task="shop.new"), TASKS)

    assert found == intake.Fault("unknown_task", "no task named 'shop.new' here")


def test_the_arguments_of_an_unknown_task_do_not_matter() -> None:
    found = intake.fault(message(([], {"v": 99}, {}), task="shop.new"), TASKS)

    assert found is not None
    assert found.reason == "unknown_task"


@pytest.mark.parametrize("payload", [None, 7, "text", {}, [], [[], {}], [{}, {}, {}], [[], [], {}], [[], {}, None]])
def test_a_body_of_another_shape_is_malformed(payload: Any) -> None:
    found = intake.fault(message(payload), TASKS)

    assert found is not None
    assert found.reason == "malformed"


def _batch(*, ids: Any) -> None: ...


BATCH = {"shop.pack": SimpleNamespace(versions=(1,), __header__=_batch)}


@pytest.mark.parametrize("ids", [["x"], "12", 12, None, [True], [1.0], [2**63], {"1": 1}])
def test_ids_that_no_command_can_have_are_malformed(ids: Any) -> None:
    found = intake.fault(message(([], {"ids": ids}, {}), task="shop.pack"), BATCH)

    assert found is not None
    assert found.reason == "malformed"


@pytest.mark.parametrize("ids", [[], [1], [7, 2**63 - 1]])
def test_a_list_of_numbers_can_name_commands(ids: list[int]) -> None:
    assert intake.fault(message(([], {"ids": ids}, {}), task="shop.pack"), BATCH) is None


def test_what_cannot_be_read_has_no_contents() -> None:
    assert intake.contents(message(7)) is None
    assert intake.contents(message(([], [], {}))) is None
    assert intake.contents(message(([], {"a": 1}, {}))) == {"a": 1}
