"""A file of purchases as rows: delimited or separated by white space, its columns named by a map. Reads, changes nothing.

A row that cannot be an order is not dropped but refused, with its line number, the reason and the value. Money is read as text into
whole minor units (hundredths): no float ever holds it.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from conductor.errors import Refused

COLUMNS = ("customer", "date", "quantity", "amount")
NEEDED = ("customer", "amount")
_CUSTOMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AMOUNT = re.compile(r"([0-9]{1,12})(?:\.([0-9]*))?")
_DATES = ("%Y%m%d", "%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Row:
    """One purchase; `line` counts from 1 and includes a header; `at` is None when no column holds dates."""

    line: int
    customer: str
    at: datetime | None
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no purchase: why, and the value that is wrong."""

    line: int
    reason: str
    value: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How to read a file: `columns` from name to number (from 1), `header` when the first line names columns.

    `delimiter` None means any run of white space.
    """

    columns: Mapping[str, int]
    header: bool
    delimiter: str | None


def shape(text: str, delimiter: str | None, *, header: bool, first_line: str) -> Shape:
    """The shape that `customer=1,amount=4` (or header names instead of numbers) asks for; Refused names what is wrong with it."""
    wanted = dict(_pair(part) for part in text.split(",") if part.strip())
    missing = [name for name in NEEDED if name not in wanted]
    if missing:
        raise Refused(f"--columns {text}: {' and '.join(missing)} must be given")
    if all(value.isdecimal() for value in wanted.values()):
        columns = {name: int(value) for name, value in wanted.items()}
        if 0 in columns.values():
            raise Refused(f"--columns {text}: columns are counted from 1")
        return Shape(columns, header, delimiter)
    names = _fields(first_line, delimiter)
    unknown = [value for value in wanted.values() if not value.isdecimal() and value not in names]
    if unknown:
        raise Refused(f"--columns {text}: the first line has no {unknown[0]!r}, but {', '.join(names)}")
    columns = {name: int(value) if value.isdecimal() else names.index(value) + 1 for name, value in wanted.items()}
    return Shape(columns, True, delimiter)


def read(path: Path, given: Shape) -> Iterator[Row | BadRow]:
    """Every line that is not blank, in the file's order."""
    with path.open(encoding="utf-8", errors="replace", newline=None) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip() and not (given.header and number == 1):
                yield _row(number, _fields(line, given.delimiter), given.columns)


def first_line(path: Path) -> str:
    """The file's first line; Refused when it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline=None) as lines:
            return next(lines, "")
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error


def digest(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def minor_units(text: str) -> int:
    """An amount in hundredths. Raises ValueError with the reason for anything that is not exactly that and above zero."""
    if text.startswith("-"):
        raise ValueError("the amount is negative")
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError("the amount is not a number of at most twelve digits")
    decimals = found[2] or ""
    if len(decimals) > 2:
        raise ValueError("the amount has more than 2 decimals")
    minor = int(found[1] + decimals.ljust(2, "0"))
    if minor == 0:
        raise ValueError("the amount is zero")
    return minor


def _row(line: int, fields: Sequence[str], columns: Mapping[str, int]) -> Row | BadRow:
    widest = max(columns.values())
    if len(fields) < widest:
        return BadRow(line, f"has {len(fields)} columns, {widest} are needed", " ".join(fields))
    values = {name: fields[number - 1] for name, number in columns.items()}
    if not _CUSTOMER.fullmatch(values["customer"]):
        return BadRow(line, "the customer is not 1 to 64 of A-Z a-z 0-9 . _ -", values["customer"])
    quantity = values.get("quantity", "1")
    if not (quantity.isascii() and quantity.isdecimal() and len(quantity) < 10 and int(quantity) > 0):
        return BadRow(line, "the quantity is not a whole number above zero", quantity)
    try:
        amount_minor = minor_units(values["amount"])
    except ValueError as error:
        return BadRow(line, str(error), values["amount"])
    at = None
    if "date" in values:
        at = _moment(values["date"])
        if at is None:
            return BadRow(line, "the date is not YYYYMMDD, YYYY-MM-DD or ISO 8601", values["date"])
    return Row(line, values["customer"], at, int(quantity), amount_minor)


def _moment(text: str) -> datetime | None:
    for form in _DATES:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - only differences between rows are used
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _fields(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return [field.strip() for field in next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])]


def _pair(text: str) -> tuple[str, str]:
    name, _, value = (part.strip() for part in text.partition("="))
    if name not in COLUMNS or not value:
        raise Refused(f"--columns {text.strip()!r}: NAME=COLUMN is expected, with NAME one of {', '.join(COLUMNS)}")
    return name, value
