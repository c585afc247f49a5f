"""What makes a message unfit to run; real messages and workers are in the integration tests."""

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from chassis import message_checks


def _note(text: str = "") -> None: ...


TASKS = {"shop.note": SimpleNamespace(versions=(2, 3), __header__=_note)}


def message(payload: Any = ([], {}, {}), **headers: Any) -> Any:
    return SimpleNamespace(headers={"task": "shop.note", "id": "i", **headers}, payload=payload)


def test_a_task_message_is_fit() -> None:
    assert message_checks.fault(message(([], {"text": "x"}, {})), TASKS) is None


def test_without_a_version_the_oldest_readable_is_meant() -> None:
    assert message_checks.fault(message(([], {}, {})), TASKS) is None


@pytest.mark.parametrize("version", [1, 4, "2", None, [2]])
def test_a_version_that_cannot_be_read_is_a_fault(version: Any) -> None:
    found = message_checks.fault(message(([], {"v": version}, {})), TASKS)

    assert found is not None
    assert found.reason == "malformed"


def test_an_unknown_task_is_its_own_reason() -> None:
    found = message_checks.fault(message(task="shop.new"), TASKS)

    assert found == message_checks.Fault("unknown_task", "no task named 'shop.new' here")


def test_the_arguments_of_an_unknown_task_do_not_matter() -> None:
    found = message_checks.fault(message(([], {"v": 99}, {}), task="shop.new"), TASKS)

    assert found is not None
    assert found.reason == "unknown_task"


@pytest.mark.parametrize("payload", [None, 7, "text", {}, [], [[], {}], [{}, {}, {}], [[], [], {}], [[], {}, None]])
def test_a_body_of_another_shape_is_malformed(payload: Any) -> None:
    found = message_checks.fault(message(payload), TASKS)

    assert found is not None
    assert found.reason == "malformed"


def _batch(*, ids: Any) -> None: ...


BATCH = {"shop.pack": SimpleNamespace(versions=(1,), __header__=_batch)}


@pytest.mark.parametrize("ids", [["x"], "12", 12, None, [True], [1.0], [2**63], {"1": 1}])
def test_ids_that_no_command_can_have_are_malformed(ids: Any) -> None:
    found = message_checks.fault(message(([], {"ids": ids}, {}), task="shop.pack"), BATCH)

    assert found is not None
    assert found.reason == "malformed"


@pytest.mark.parametrize("ids", [[], [1], [7, 2**63 - 1]])
def test_a_list_of_numbers_can_name_commands(ids: list[int]) -> None:
    assert message_checks.fault(message(([], {"ids": ids}, {}), task="shop.pack"), BATCH) is None


def test_what_cannot_be_read_has_no_contents() -> None:
    assert message_checks.contents(message(7)) is None
    assert message_checks.contents(message(([], [], {}))) is None
    assert message_checks.contents(message(([], {"a": 1}, {}))) == {"a": 1}


@pytest.mark.parametrize("headers", [None, "text", [], {}, {"task": "shop.note"}, {"id": "i"}, {"task": 7, "id": "i"},
                                     {"task": "shop.note", "id": ""}])  # fmt: skip
def test_a_message_without_a_task_or_an_id_says_so(headers: Any) -> None:
    found = message_checks.fault(SimpleNamespace(headers=headers, payload=([], {}, {})), TASKS)

    assert message_checks.Fault("malformed", "no task name or no id in the headers") == found


class Undecodable:
    headers: ClassVar = {"task": "shop.note", "id": "i"}

    @property
    def payload(self) -> Any:
        raise ValueError("no JSON at all")


def test_a_body_that_cannot_be_decoded_says_why() -> None:
    assert message_checks.Fault("malformed", "body cannot be read: no JSON at all") == message_checks.fault(
        Undecodable(), TASKS
    )
    assert message_checks.contents(Undecodable()) is None


def test_a_version_that_cannot_be_read_is_named_with_those_that_can() -> None:
    tasks = {"shop.note": SimpleNamespace(versions=(2, 3), __header__=lambda **_: None)}

    found = message_checks.fault(message(([], {"v": 4}, {})), tasks)

    assert message_checks.Fault("malformed", "version 4 of shop.note, only 2, 3 can be read here") == found


def test_wrong_arguments_are_named() -> None:
    found = message_checks.fault(message(([], {"colour": "red"}, {})), TASKS)

    assert found is not None
    assert found.detail.startswith("wrong arguments for shop.note: ")
    assert "colour" in found.detail


def test_a_task_of_no_declared_version_reads_the_first() -> None:
    tasks = {"shop.note": SimpleNamespace(__header__=lambda **_: None)}

    assert message_checks.fault(message(([], {"v": 1}, {})), tasks) is None
    assert message_checks.fault(message(([], {"v": 2}, {})), tasks) is not None
