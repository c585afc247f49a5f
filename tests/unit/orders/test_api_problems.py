"""What was wrong is shown as far as JSON and a reader can bear it."""

import json

import pytest

from chassis.http.problems import Problem, answer, field, shown, wrong


@pytest.mark.parametrize("value", [None, True, 0, -5, 1.5, "text", "ümlaut"])
def test_plain_values_are_shown_as_they_are(value: object) -> None:
    assert value == shown(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (2**53, "0x20000000000000"),
        ("\ud800", "\\ud800"),
        ([1, 2], "[1, 2]"),
        ("x" * 121, "x" * 120 + "…"),
        pytest.param(10**5000, hex(10**5000)[:120] + "…", id="an endless integer"),
        pytest.param([10**5000], "list", id="a list with an endless integer"),
    ],
)
def test_what_json_cannot_bear_is_shown_as_text(value: object, expected: str) -> None:
    assert expected == shown(value)


def test_a_problem_names_field_value_and_reason() -> None:
    body = json.loads(answer(Problem(422, "no", errors=[wrong("lines[0].sku", "X", "no such product")])).body)

    assert body["errors"] == [{"field": "lines[0].sku", "value": "X", "reason": "no such product"}]


def test_a_problem_can_be_sent_whatever_was_wrong() -> None:
    problem = Problem(422, "got \ud800", errors=[wrong("a", "\ud800", "is \ud800")])

    assert b"\\\\ud800" in bytes(answer(problem).body)


@pytest.mark.parametrize(
    ("location", "expected"),
    [((), "body"), (("lines", 0, "sku"), "lines[0].sku"), (("email",), "email"), ((3,), "[3]")],
)
def test_places_are_written_as_people_write_them(location: tuple[int | str, ...], expected: str) -> None:
    assert expected == field(location)
