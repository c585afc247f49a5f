"""`python -m trading.run_shard FOLDER --sessions FILE`: owns one shard until SIGTERM, without Celery."""

import argparse
import logging
import sys
from pathlib import Path

from trading.processes.owner import run
from trading.processes.settings import ShardSettings


def main(arguments: list[str] | None = None) -> int:
    """Run a shard; 0 when it was drained."""
    parser = argparse.ArgumentParser(prog="trading.run_shard", description=__doc__)
    parser.add_argument("folder", type=Path, help="where journal, snapshots and sequence numbers lie")
    parser.add_argument("--sessions", type=Path, required=True, help="the file of clients and symbols")
    parser.add_argument(
        "--level", choices=["process", "disk"], default="process", help="what an acknowledgement promises"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="of FIX; 0 takes a free one")
    parser.add_argument(
        "--engine-core", type=int, help="the core on which the engine spins; without it the engine sleeps"
    )
    parser.add_argument("--heads", type=Path, help="the file to which signed heads are appended, on another volume")
    parser.add_argument("--heads-key", type=Path, help="the file of the key that signs them")
    options = parser.parse_args(arguments)
    if (options.heads is None) is not (options.heads_key is None):
        parser.error("--heads and --heads-key go together")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return run(ShardSettings(**vars(options)))


if __name__ == "__main__":
    sys.exit(main())
