"""A line becomes exactly one purchase or one refusal that says why."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.capstones.orders import purchase_file
from conductor.capstones.orders.purchase_file import BadRow, Row, minor_units
from conductor.errors import Refused

ALL = "customer=1,date=2,quantity=3,amount=4"


def rows(
    tmp_path: Path, text: str, columns: str = ALL, delimiter: str | None = None, header: bool = False
) -> list[Row | BadRow]:
    file = tmp_path / "purchases.txt"
    file.write_bytes(text.encode())
    first_line = purchase_file.first_line(file)
    return list(purchase_file.read(file, purchase_file.shape(columns, delimiter, header=header, first_line=first_line)))


def only(found: list[Row | BadRow]) -> Row:
    assert len(found) == 1
    assert isinstance(found[0], Row)
    return found[0]


@pytest.mark.parametrize(("text", "minor"), [("11.77", 1177), ("12", 1200), ("12.5", 1250), ("0.01", 1), ("7.", 700)])
def test_amounts_are_read_to_the_cent(text: str, minor: int) -> None:
    assert minor == minor_units(text)


@given(st.integers(1, 10**14 - 1))
def test_any_amount_survives_being_written_and_read(minor: int) -> None:
    assert minor == minor_units(str(Decimal(minor) / 100))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.00", "is zero"),
        ("0", "is zero"),
        ("-1.00", "is negative"),
        ("1.005", "more than 2 decimals"),
        ("1.000", "more than 2 decimals"),
        ("1e3", "is not a number"),
        ("1,50", "is not a number"),
        ("NaN", "is not a number"),
        ("", "is not a number"),
        ("٣", "is not a number"),
        ("1234567890123", "is not a number"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        minor_units(text)


def test_white_space_of_any_length_separates(tmp_path: Path) -> None:
    row = only(rows(tmp_path, " 00001 19970101  1   11.77\r\n"))

    assert (row.line, row.customer, row.quantity, row.amount_minor) == (1, "00001", 1, 1177)


def test_columns_are_found_by_their_header(tmp_path: Path) -> None:
    text = "total;when;who\n11.77;1997-01-01;ann\n"

    row = only(rows(tmp_path, text, "customer=who,amount=total", ";"))

    assert (row.line, row.customer, row.amount_minor, row.quantity) == (2, "ann", 1177, 1)


def test_a_quoted_field_may_hold_the_delimiter(tmp_path: Path) -> None:
    row = only(rows(tmp_path, 'ann,"1,000 songs",5.00\n', "customer=1,amount=3", ","))

    assert row.amount_minor == 500


def test_lines_are_counted_with_header_and_blank_ones(tmp_path: Path) -> None:
    found = rows(tmp_path, "who what\n\nann 1.00\n", "customer=1,amount=2", header=True)

    assert only(found).line == 3


def test_equal_lines_are_two_rows(tmp_path: Path) -> None:
    found = rows(tmp_path, "ann 19970101 1 2.00\nann 19970101 1 2.00\n")

    assert [row.line for row in found] == [1, 2]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ann 19970101 1 0.00", "0.00"),
        ("ann 19970101 0 1.00", "0"),
        ("ann 19970101 1.5 1.00", "1.5"),
        ("ann 19971301 1 1.00", "19971301"),
        ("<ann> 19970101 1 1.00", "<ann>"),
        ("ann 19970101 1", "ann 19970101 1"),
    ],
)
def test_a_bad_row_is_named_by_line_and_value(tmp_path: Path, line: str, value: str) -> None:
    found = rows(tmp_path, f"bob 19970101 1 1.00\n{line}\n")

    assert isinstance(found[1], BadRow)
    assert (found[1].line, found[1].value) == (2, value)


@pytest.mark.parametrize(
    "columns",
    ["amount=1", "customer=1,amount=0", "customer=1,amount", "customer=1,amount=2,colour=3", "customer=x,amount=2"],
)
def test_a_column_map_that_cannot_work_is_refused(tmp_path: Path, columns: str) -> None:
    with pytest.raises(Refused, match="--columns"):
        rows(tmp_path, "ann 1.00\n", columns)
