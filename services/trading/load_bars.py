"""`python -m trading.load_bars FILE`: takes a file of daily bars as a data feed, and makes candles and last prices of it.

The form of the file is told in trading.adapters.bar_files. The feed has the file's name unless --feed names it. Run again it adds what the
file has more. Reads the settings from the environment (DATABASE_URL, SYMBOLS), prints a line of JSON and exits with 0; with 2 when file or
database cannot be read.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from chassis.errors import Transient
from trading.adapters.bar_files import Bar, NotBars, RefusedBar, bars, trades
from trading.adapters.market_store import FeedMoved, SqlMarketStore
from trading.domain.candles import DAY_US
from trading.settings import Settings
from trading.usecases.market_data import MarketData

CHUNK = 5000
NAMED = 10
"""Refused lines that are named; all are counted."""


def main(arguments: list[str] | None = None) -> int:
    """Load a file."""
    parser = argparse.ArgumentParser(prog="trading.load_bars", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--feed", help="name of the feed")
    options = parser.parse_args(arguments)
    settings = Settings()
    symbols = {name: (one.id, one.tick) for name, one in settings.instruments.items()}
    store = SqlMarketStore(settings.database_url, options.feed or options.file.name, pooler=settings.behind_pooler)
    taken, refused = 0, list[RefusedBar]()

    def good() -> Iterator[Bar]:
        nonlocal taken
        for bar in bars(options.file, symbols):
            if isinstance(bar, Bar):
                taken += 1
                yield bar
            else:
                refused.append(bar)

    try:
        # Days follow each other by any distance: no band.
        data, feed = MarketData(store, band_bp=0, spans_us=(DAY_US,)), trades(good())
        while chunk := list(islice(feed, CHUNK)):
            data.take(chunk)
            data.save()
    except (OSError, NotBars, UnicodeDecodeError, Transient, FeedMoved) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    finally:
        store.close()
    named = [f"line {one.line}: {one.reason}" for one in refused[:NAMED]]
    sys.stdout.write(json.dumps({"bars": taken, "refused": len(refused), "named": named}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
