"""What a person filled in is read as it stands, and what is no form is named."""

from pathlib import Path

import pytest

from grader.errors import LabError
from grader.filled_form import filled_form


def test_every_value_is_the_text_that_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "form.yaml"
    path.write_text("time: 8:00\nright: true\nnumber: 16\ntext: 'a: b'\ntagged: !!int abc\n")

    assert {"time": "8:00", "right": "true", "number": "16", "text": "a: b", "tagged": "abc"} == filled_form(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "line 2: 'a' stands there twice"),
        ("a: [1]\n", "line 1: a name and a text are wanted"),
        ("a: &b [1]\nc: *b\n", "line 1: a name and a text are wanted"),
        ("- a\n", "a map of names and texts is wanted"),
        ("a: 'b", "while scanning"),
        ("[" * 30_000, "form.yaml: "),
        ("a: " + "1" * 70_000, "larger than 64 KiB"),
    ],
)
def test_what_is_no_form_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "form.yaml"
    path.write_text(text)

    with pytest.raises(LabError, match=said):
        filled_form(path)
