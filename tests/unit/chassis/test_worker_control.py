"""Telling workers: told until each has done it, and whoever has not is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chassis import worker_control

Said = Mapping[str, Any]


def says(state: str, held: int = 0) -> dict[str, Any]:
    return {"state": state, "held": held}


@dataclass
class Control:
    """Workers that answer, one look after the other, what they were given; the last again and again."""

    answers: dict[str, list[Said]]
    told: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def broadcast(self, command: str, *, destination: Sequence[str], reply: bool = False, **_: Any) -> Any:
        if not reply:
            self.told.append((command, tuple(destination)))
            return None
        return [
            {name: said.pop(0) if len(said) > 1 else said[0]}
            for name in destination
            if (said := self.answers.get(name))
        ]


def told(control: Control, command: str, *workers: str, within_seconds: float = 60.0) -> Mapping[str, Said | None]:
    return worker_control.tell(control, command, workers, within_seconds, rest=lambda seconds: None)


def test_a_worker_is_told_until_it_consumes() -> None:
    control = Control({"a": [says("standby"), says("standby"), says("idle")]})

    assert {"a": says("idle")} == told(control, "resume", "a")
    assert [("resume", ("a",))] * 3 == control.told


def test_one_that_has_done_it_is_not_told_again() -> None:
    control = Control({"a": [says("busy", 2)], "b": [says("standby"), says("idle")]})

    told(control, "resume", "a", "b")

    assert [("resume", ("a", "b")), ("resume", ("b",))] == control.told


def test_standing_by_is_done_when_what_was_held_is_worked_off() -> None:
    control = Control({"a": [says("busy", 2), says("standby", 2), says("standby", 0)]})

    assert {"a": says("standby", 0)} == told(control, "stand_by", "a")
    assert 3 == len(control.told)


def test_after_its_time_it_tells_what_each_said_last_and_nothing_of_a_silent_one() -> None:
    control = Control({"a": [says("unreachable")]})

    assert {"a": says("unreachable"), "b": None} == told(control, "resume", "a", "b", within_seconds=0)


@pytest.mark.parametrize(
    ("command", "state", "held", "done"),
    [
        ("resume", "idle", 0, True),
        ("resume", "busy", 3, True),
        ("resume", "standby", 0, False),
        ("resume", "draining", 0, False),
        ("resume", "cancelled", 0, False),
        ("stand_by", "standby", 0, True),
        ("stand_by", "standby", 1, False),
        ("stand_by", "paused", 0, False),
        ("pause", "paused", 0, True),
        ("pause", "paused", 1, False),
        ("pause", "idle", 0, False),
    ],
)
def test_what_counts_as_done(command: str, state: str, held: int, done: bool) -> None:
    assert done is worker_control.done(command, says(state, held))


def test_an_answer_that_is_an_error_counts_as_none() -> None:
    control = Control({"a": [{"error": "no such command"}]})

    assert {"a": None} == told(control, "resume", "a", within_seconds=0)
