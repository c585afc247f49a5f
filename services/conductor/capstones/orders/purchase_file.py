"""A file of purchases as rows: delimited as spreadsheets write it, or separated by white space, its columns named by a map.

Pure but for `load`. A row that cannot be an order is not dropped but refused, with its line, column, value and the reason. A file whose
rows cannot be told apart is refused whole. Money is read as text into whole minor units (hundredths): no float ever holds it.
"""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path

from conductor.errors import Refused

COLUMNS = ("customer", "date", "quantity", "amount")
NEEDED = ("customer", "amount")
ROUNDINGS = {"half-even": ROUND_HALF_EVEN, "half-up": ROUND_HALF_UP, "down": ROUND_DOWN}
_CUSTOMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AMOUNT = re.compile(r"([0-9]{1,12})(?:\.([0-9]*))?")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""What a file begins with that says how its text is encoded; the encoding takes the mark away."""


@dataclass(frozen=True, slots=True)
class Row:
    """One purchase; `line` counts from 1, includes a header and is the first of the row's; `at` is None when no column holds dates."""

    line: int
    customer: str
    at: datetime | None
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no purchase: why, the value that is wrong, and its column (empty when it is the whole row)."""

    line: int
    reason: str
    value: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """How to read a file: `columns` from name to number (from 1), `header` when the first row names columns.

    `delimiter` None means any run of white space; `rounding` None that an amount with more than two decimals is refused.
    """

    columns: Mapping[str, int]
    header: bool
    delimiter: str | None
    rounding: str | None = None


def load(path: Path) -> bytes:
    """The file's bytes; Refused when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error


def decoded(content: bytes, encoding: str | None) -> str:
    """The text: as its byte order mark says, else in `encoding`, else UTF-8. Bytes that are none stay, as lone surrogates."""
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    try:
        return content.decode(marked or encoding or "utf-8", errors="surrogateescape")
    except LookupError:
        raise Refused(f"--encoding {encoding}: there is no such encoding") from None
    except UnicodeError as error:
        raise Refused(f"the file is not encoded as {marked or encoding}: {error}") from None


def shape(columns: str, delimiter: str | None, *, header: bool, text: str, rounding: str | None = None) -> Shape:
    """The shape that `customer=1,amount=4` (or header names instead of numbers) asks for; Refused names what is wrong with it."""
    delimiter = {"\\t": "\t", "tab": "\t"}.get(delimiter or "", delimiter)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise Refused(
            f"--delimiter {delimiter!r}: one character is expected that is no quote and no line end, or `tab`"
        )
    if rounding is not None and rounding not in ROUNDINGS:
        raise Refused(f'--round "{rounding}": there are {", ".join(ROUNDINGS)}')
    pairs = [_pair(part) for part in columns.split(",") if part.strip()]
    wanted = dict(pairs)
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    missing = [name for name in NEEDED if name not in wanted]
    if twice or missing:
        what = f"{twice[0]} is given twice" if twice else f"{' and '.join(missing)} must be given"
        raise Refused(f"--columns {columns}: {what}")
    if all(value.isdecimal() for value in wanted.values()):
        numbers = {name: int(value) for name, value in wanted.items()}
        if 0 in numbers.values():
            raise Refused(f"--columns {columns}: columns are counted from 1")
        return Shape(numbers, header, delimiter, rounding)
    names = next((fields for _, fields in _records(text, delimiter) if isinstance(fields, list)), [])
    for value in wanted.values():
        if not value.isdecimal() and names.count(value) != 1:
            what = "more than one" if value in names else "no"
            raise Refused(f"--columns {columns}: the first row has {what} {value!r}, but {', '.join(names)}")
    numbers = {name: int(value) if value.isdecimal() else names.index(value) + 1 for name, value in wanted.items()}
    return Shape(numbers, True, delimiter, rounding)


def read(text: str, given: Shape) -> Iterator[Row | BadRow]:
    """Every row that is not blank, in the file's order. Refused where a quote that is never closed hides the rows behind it."""
    records = _records(text, given.delimiter)
    if given.header:
        next(records, None)
    for line, fields in records:
        yield _row(line, fields, given) if isinstance(fields, list) else fields


def identity(content: bytes, given: Shape, *more: str) -> str:
    """SHA-256, in hex, of the file and of all that decides what orders its rows become: another map is another replay."""
    decides = [sorted(given.columns.items()), given.header, given.delimiter, given.rounding, *more]
    return hashlib.sha256(repr(decides).encode() + b"\0" + content).hexdigest()


def digest(content: bytes) -> str:
    """SHA-256 of the file's bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def customer_id(text: str) -> str:
    """The customer as the API takes one: as it is where that is possible, else its letters and digits and a digest of the whole."""
    if _CUSTOMER.fullmatch(text):
        return text
    readable = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:40]
    return f"{readable or 'customer'}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def minor_units(text: str, rounding: str | None = None) -> int:
    """An amount in hundredths. Raises ValueError with the reason for anything that is not exactly that and above zero."""
    if text.startswith("-"):
        raise ValueError("the amount is negative")
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError("the amount is not a number of at most twelve digits")
    if len(found[2] or "") > 2 and rounding is None:
        raise ValueError("the amount has more than 2 decimals; --round says how to round it")
    exact = Decimal(text)
    minor = int(exact.quantize(Decimal("0.01"), ROUNDINGS[rounding or "half-even"]) * 100)
    if minor == 0:
        raise ValueError("the amount rounds to zero" if exact else "the amount is zero")
    return minor


def _row(line: int, fields: Sequence[str], given: Shape) -> Row | BadRow:
    widest = max(given.columns.values())
    if len(fields) < widest:
        return BadRow(line, f"has {len(fields)} columns, {widest} are needed", " ".join(fields))
    values = {name: fields[number - 1] for name, number in given.columns.items()}

    def bad(name: str, reason: str) -> BadRow:
        return BadRow(line, reason, values[name], f"{given.columns[name]} ({name})")

    for name, value in values.items():
        if not value.isprintable():
            lone = any("\ud800" <= character <= "\udfff" for character in value)
            return bad(name, "holds bytes that are not of the file's encoding" if lone else "holds a control character")
    if not values["customer"]:
        return bad("customer", "the customer is empty")
    quantity = values.get("quantity", "1")
    if not (quantity.isascii() and quantity.isdecimal() and len(quantity) < 10 and int(quantity) > 0):
        return bad("quantity", "the quantity is not a whole number above zero")
    try:
        amount_minor = minor_units(values["amount"], given.rounding)
    except ValueError as error:
        return bad("amount", str(error))
    at = None
    if "date" in values:
        at = _moment(values["date"])
        if at is None:
            return bad("date", "the date is not YYYYMMDD, YYYY-MM-DD or ISO 8601")
    return Row(line, customer_id(values["customer"]), at, int(quantity), amount_minor)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    # Only differences between rows are used.
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _records(text: str, delimiter: str | None) -> Iterator[tuple[int, list[str] | BadRow]]:
    """(its first line, its fields) of each row that is not blank; a row whose quotes are wrong is bad."""
    if delimiter is None:
        for number, whole in enumerate(io.StringIO(text, newline=None), start=1):
            if fields := whole.split():
                yield number, fields
        return
    # A spreadsheet quotes what holds a delimiter or a line end, and a row then has several lines.
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=delimiter != " "
    )
    while True:
        line = reader.line_num + 1
        try:
            fields = [field.strip() for field in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error) or "field limit" in str(error):
                raise Refused(
                    f"line {line}: a quote is opened and never closed, so no row behind it can be told"
                ) from None
            yield line, BadRow(line, f"is not quoted as a delimited file is: {error}", "")
            continue
        if any(fields):
            yield line, fields


def _pair(text: str) -> tuple[str, str]:
    name, _, value = (part.strip() for part in text.partition("="))
    if name not in COLUMNS or not value:
        raise Refused(f"--columns {text.strip()!r}: NAME=COLUMN is expected, with NAME one of {', '.join(COLUMNS)}")
    return name, value
