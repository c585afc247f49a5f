"""A line becomes exactly one purchase or one refusal that says why."""

import re
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
    content: str | bytes,
    columns: str = ALL,
    delimiter: str | None = None,
    *,
    header: bool = False,
    encoding: str | None = None,
    rounding: str | None = None,
) -> list[Row | BadRow]:
    text = purchase_file.decoded(content.encode() if isinstance(content, str) else content, encoding)
    given = purchase_file.shape(columns, delimiter, header=header, text=text, rounding=rounding)
    return list(purchase_file.read(text, given))


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


def test_white_space_of_any_length_separates() -> None:
    row = only(rows(" 00001 19970101  1   11.77\r\n"))

    assert (row.line, row.customer, row.quantity, row.amount_minor) == (1, "00001", 1, 1177)


def test_columns_are_found_by_their_header() -> None:
    text = "total;when;who\n11.77;1997-01-01;ann\n"

    row = only(rows(text, "customer=who,amount=total", ";"))

    assert (row.line, row.customer, row.amount_minor, row.quantity) == (2, "ann", 1177, 1)


def test_a_quoted_field_may_hold_the_delimiter() -> None:
    row = only(rows('ann,"1,000 songs",5.00\n', "customer=1,amount=3", ","))

    assert row.amount_minor == 500


def test_lines_are_counted_with_header_and_blank_ones() -> None:
    found = rows("who what\n\nann 1.00\n", "customer=1,amount=2", header=True)

    assert only(found).line == 3


def test_equal_lines_are_two_rows() -> None:
    found = rows("ann 19970101 1 2.00\nann 19970101 1 2.00\n")

    assert [row.line for row in found] == [1, 2]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ann 19970101 1 0.00", "0.00"),
        ("ann 19970101 0 1.00", "0"),
        ("ann 19970101 1.5 1.00", "1.5"),
        ("ann 19971301 1 1.00", "19971301"),
        ("ann 1997113 1 1.00", "1997113"),
        ("ann\x1b[2J 19970101 1 1.00", "ann\x1b[2J"),
        ("ann 19970101 1", "ann 19970101 1"),
    ],
)
def test_a_bad_row_is_named_by_line_and_value(line: str, value: str) -> None:
    found = rows(f"bob 19970101 1 1.00\n{line}\n")

    assert isinstance(found[1], BadRow)
    assert (found[1].line, found[1].value) == (2, value)


@pytest.mark.parametrize(
    "columns",
    [
        "amount=1",
        "customer=1,amount=0",
        "customer=1,amount",
        "customer=1,amount=2,colour=3",
        "customer=x,amount=2",
        "customer=1,amount=2,amount=3",
    ],
)
def test_a_column_map_that_cannot_work_is_refused(columns: str) -> None:
    with pytest.raises(Refused, match="--columns"):
        rows("ann 1.00\n", columns)


@pytest.mark.parametrize(
    ("column", "line"),
    [
        ("1 (customer)", ",19970101,1,1"),
        ("2 (date)", "a,-,1,1"),
        ("3 (quantity)", "a,19970101,x,1"),
        ("4 (amount)", "a,19970101,1,$1"),
    ],
)
def test_a_bad_value_is_named_by_its_column(column: str, line: str) -> None:
    (found,) = rows(line, delimiter=",")

    assert isinstance(found, BadRow)
    assert column == found.column


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_hides_no_header(encoding: str) -> None:
    text = "who,total\nann,11.77\n"

    assert only(rows(text.encode(encoding), "customer=who,amount=total", ",")).amount_minor == 1177


@pytest.mark.parametrize("delimiter", [";;", "", '"', "\n"])
def test_what_cannot_delimit_is_refused(delimiter: str) -> None:
    with pytest.raises(Refused, match="--delimiter"):
        rows("ann;;1.00", "customer=1,amount=2", delimiter)


@pytest.mark.parametrize("delimiter", ["tab", "\\t", "\t"])
def test_a_tab_may_be_spelt(delimiter: str) -> None:
    assert only(rows("ann lee\t1.00", "customer=1,amount=2", delimiter)).amount_minor == 100


def test_a_quoted_field_may_hold_a_line_end() -> None:
    found = rows('who,note,total\r\nann,"two\r\nlines",1.00\r\nbob,,2.00\r\n', "customer=who,amount=total", ",")

    assert [(2, 100), (4, 200)] == [(row.line, row.amount_minor) for row in found if isinstance(row, Row)]


def test_a_quote_that_is_never_closed_refuses_the_file() -> None:
    with pytest.raises(Refused, match="line 2: a quote is opened and never closed"):
        rows('ann,1.00\nbob,"2.00\ncleo,3.00\n', "customer=1,amount=2", ",")


def test_a_row_whose_quotes_are_wrong_is_refused_alone() -> None:
    found = rows('ann,"1"0\nbob,2.00\n', "customer=1,amount=2", ",")

    assert isinstance(found[0], BadRow)
    assert (found[0].line, [2]) == (1, [row.line for row in found if isinstance(row, Row)])


def test_customers_keep_apart_whatever_they_are_called() -> None:
    names = ["ann", "Ann Lee", "Ann-Lee", "Ann  Lee", "Zoë", "李", "-", "x" * 65]

    found = rows("".join(f'"{name}",1.00\n' for name in names), "customer=1,amount=2", ",")

    ids = [row.customer for row in found if isinstance(row, Row)]
    assert len(names) == len(set(ids))
    assert "ann" == ids[0]
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", one) for one in ids)


def test_bytes_of_another_encoding_are_refused_where_they_matter() -> None:
    content = "Zoë;1.00;ok\nann;2.00;café\n".encode("cp1252")

    wrong = rows(content, "customer=1,amount=2", ";")
    right = rows(content, "customer=1,amount=2", ";", encoding="cp1252")

    assert isinstance(wrong[0], BadRow)
    assert ("1 (customer)", 200) == (wrong[0].column, only(wrong[1:]).amount_minor)
    assert [Row, Row] == [type(row) for row in right]


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(Refused, match="--encoding latin-0"):
        rows("ann 1.00", "customer=1,amount=2", encoding="latin-0")


@pytest.mark.parametrize(
    ("text", "rounding", "minor"),
    [
        ("1.005", "half-even", 100),
        ("1.015", "half-even", 102),
        ("1.005", "half-up", 101),
        ("1.009", "down", 100),
        ("2.5", "down", 250),
    ],
)
def test_amounts_are_rounded_by_the_rule_that_is_asked_for(text: str, rounding: str, minor: int) -> None:
    assert minor == minor_units(text, rounding)


def test_what_rounds_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="rounds to zero"):
        minor_units("0.004", "half-up")


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(Refused, match='--round "up"'):
        rows("ann 1.00", "customer=1,amount=2", rounding="up")


def test_a_header_that_names_a_column_twice_is_refused() -> None:
    with pytest.raises(Refused, match="more than one 'total'"):
        rows("who,total,total\n", "customer=who,amount=total", ",")


def test_another_map_is_another_replay() -> None:
    content = b"who,total,count\nann,11.77,2\n"

    def identity(columns: str, *more: str, rounding: str | None = None) -> str:
        given = purchase_file.shape(columns, ",", header=True, text=content.decode(), rounding=rounding)
        return purchase_file.identity(content, given, *more)

    known = identity("customer=who,amount=total")
    assert known == identity("amount=2,customer=1")
    others = [
        identity("customer=who,amount=count"),
        identity("customer=who,amount=total,quantity=count"),
        identity("customer=who,amount=total", "CD"),
        identity("customer=who,amount=total", rounding="down"),
    ]
    assert len({known, *others}) == 5


def test_offsets_count_between_dates() -> None:
    found = rows("a 2026-01-01T12:00:00+02:00 1 1\nb 2026-01-01T11:00:00+00:00 1 1\n")

    assert [10, 11] == [row.at.hour for row in found if isinstance(row, Row) and row.at]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="Is a directory"):
        purchase_file.load(tmp_path)
