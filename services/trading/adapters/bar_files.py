"""Files of daily bars as ticks of a market's data feed.

A file is CSV, plain or gzip, with the columns Ticker, Date, Open, High, Low, Close and Volume. A bar that cannot be taken is refused
whole: with one of its prices off the tick nobody can say what the others are worth. A bar becomes four trades at 0, 6, 12 and 18 hours
UTC of its day: open, then low and high, the one first that is nearer to the open, then close. Each has a quarter of the volume, the last
one what is left.
"""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from trading.adapters.feed_lines import Symbols
from trading.domain.market_data import Trade
from trading.domain.terms import MAX_PRICE, MAX_QUANTITY
from trading.domain.tick_size import BadPrice, ticks

COLUMNS = ("Ticker", "Date", "Open", "High", "Low", "Close", "Volume")
QUARTER_US = 6 * 3600 * 1_000_000


class Bar(NamedTuple):
    """A day of a symbol, in ticks and lots."""

    symbol: int
    begin_us: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class RefusedBar(NamedTuple):
    """A line that was refused."""

    line: int
    reason: str


class NotBars(ValueError):
    """A file without the columns of bars."""


def bars(path: Path, symbols: Symbols) -> Iterator[Bar | RefusedBar]:
    """What the lines of a file say, in their order. Raises NotBars, and OSError when it cannot be read."""
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else packed).decode()
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise NotBars(f"{path} has no column {', '.join(missing)}: its first line is {text.splitlines()[:1]}")
    for row in reader:
        try:
            yield _bar(row, symbols)
        except (BadPrice, ValueError, TypeError) as error:
            yield RefusedBar(reader.line_num, str(error))


def trades(some: Iterable[Bar], first: int = 1) -> Iterator[Trade]:
    """The trades of bars, numbered from `first` on."""
    number = first
    for bar in some:
        inner = (bar.low, bar.high) if bar.open - bar.low <= bar.high - bar.open else (bar.high, bar.low)
        quarter = bar.volume // 4
        sizes = (quarter, quarter, quarter, bar.volume - 3 * quarter)
        for index, (price, size) in enumerate(zip((bar.open, *inner, bar.close), sizes, strict=True)):
            yield Trade(number, bar.begin_us + index * QUARTER_US, bar.symbol, price, size)
            number += 1


def _bar(row: dict[str, str], symbols: Symbols) -> Bar:
    if row["Ticker"] not in symbols:
        raise ValueError(f"unknown symbol {row['Ticker']!r}")
    symbol, tick = symbols[row["Ticker"]]
    begin = datetime.strptime(row["Date"], "%Y-%m-%d").replace(tzinfo=UTC)
    opened, high, low, close = (ticks(row[name], tick) for name in COLUMNS[2:6])
    volume = int(row["Volume"])
    if not low <= min(opened, close) <= max(opened, close) <= high <= MAX_PRICE:
        raise ValueError(
            f"low {row['Low']}, open {row['Open']}, close {row['Close']} and high {row['High']} are in no order"
        )
    if not 4 <= volume <= 4 * MAX_QUANTITY:
        raise ValueError(f"a volume of {volume} lots")
    return Bar(symbol, int(begin.timestamp()) * 1_000_000, opened, high, low, close, volume)
