"""`python -m trading.reconcile FOLDER`: are the positions in the database those of the shard's journal? With `--rebuild` they become so.

Reads the service's settings from the environment (DATABASE_URL, SHARD, the fees) and prints a line of JSON. Exits with 0 when there is
nothing to object to, 1 when there is, 2 when journal or database cannot be read. May run beside everything.
"""

import argparse
import json
import sys
from pathlib import Path

from chassis.errors import Transient
from trading.adapters.journal.errors import JournalError
from trading.adapters.journal.segment import segments
from trading.adapters.portfolio_store import SqlPortfolioStore
from trading.processes.settings import ShardSettings
from trading.settings import Settings
from trading.usecases.reconcile import compare, rebuild, told
from trading.usecases.replay import ReplayDiffers


def main(arguments: list[str] | None = None) -> int:
    """Compare, or make anew."""
    parser = argparse.ArgumentParser(prog="trading.reconcile", description=__doc__)
    parser.add_argument("folder", type=Path, help="the shard's folder, which holds journal/")
    parser.add_argument("--shard", type=int, help="its number; that of SHARD by default")
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="replace the positions, and let the tail publish the journal from its beginning",
    )
    options = parser.parse_args(arguments)
    settings = Settings()
    shard = settings.shard if options.shard is None else options.shard
    files = ShardSettings(options.folder, options.folder)
    if not segments(files.journal):
        return _unreadable(f"{files.journal} holds no segment")
    store = SqlPortfolioStore(settings.database_url, pooler=settings.behind_pooler)
    try:
        if options.rebuild:
            rebuild(files.journal, store, shard, settings.fees)
            # What was published before may be of another history; consumers know by number what they have.
            files.published.unlink(missing_ok=True)
        compared = compare(files.journal, store, shard, settings.fees)
    except (Transient, JournalError, ReplayDiffers, ValueError) as error:
        return _unreadable(str(error))
    finally:
        store.close()
    sys.stdout.write(json.dumps(told(compared)) + "\n")
    return 1 if compared.differences else 0


def _unreadable(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
